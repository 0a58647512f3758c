import { createHmac, randomBytes } from 'node:crypto';
import { expect } from 'chai';
import { readUserUnsafely } from '#backends/defects/jwt.js';
import { withListener } from '#src/attacks/attacks/jwt.js';
import { cookieOf, type Forgery, makeContent, makeShopSigner, readToken } from '#src/attacks/tools/forge-jwt.js';
import * as forgeries from '#src/attacks/tools/jwt-forgeries.js';
import { totpCode } from '#src/attacks/tools/second-factor.js';

const ring = [{ id: 'k1', secret: randomBytes(32) }];
const header = { alg: 'HS256', kid: 'k1', typ: 'at+jwt' };
const content = makeContent('victim', { iss: 'holdfast', aud: 'holdfast:session', sub: 'mallory' });
const sound = cookieOf(header, content, makeShopSigner(ring));
const signature = readToken(sound)?.signature ?? '';
const signed = (text: string) => makeShopSigner(ring)(text).toString('base64url');

/** Lists the forgeries that a verifier with every known defect accepts. A forgery that it refuses may be badly made. */
async function believed(tokens: readonly Forgery[]): Promise<readonly string[]> {
  const found = [];
  for (const { what, token } of tokens) if ((await readUserUnsafely(token, signed)) === 'victim') found.push(what);
  return found;
}

describe('attacks: forged tokens', () => {
  it('hold the claims of the attacker, and are accepted when they are well signed', async () => {
    expect(readToken(sound)).to.deep.include({ header, claims: content.claims, refresh: content.refresh });
    expect(await readUserUnsafely(sound, signed)).to.equal('victim');
    expect(
      await readUserUnsafely(
        cookieOf(header, content, makeShopSigner([{ id: 'k1', secret: randomBytes(32) }])),
        signed,
      ),
    ).to.equal(undefined);
  });

  it('include tokens without a signature and with one of zeros', async () => {
    const own = createHmac('sha256', 'own').update('other').digest('base64url');
    const expected = ['no signature', 'no signature and no dot', 'a signature of zeros', 'one zero'];
    expect(await believed(forgeries.forgeSignatures(header, content, own))).to.deep.equal(expected);
  });

  it('include the algorithm "none" in all sixteen spellings and some more', async () => {
    const names = (await believed(forgeries.forgeAlgorithms(header, content, signature))).filter(name =>
      name.includes('the own'),
    );
    expect(names.filter(name => /^alg "none", /i.test(name))).to.have.length(16);
    expect(new Set(names).size).to.equal(names.length);
  });

  it('include tokens with their own key for each algorithm, and with a file as key', async () => {
    const names = await believed(forgeries.forgeWithOwnKeys(header, content));
    expect(names).to.include.members(['jwk with a secret', 'jwk for RS256', 'jwk for ES256', 'jwk for EdDSA']);
    expect(names.filter(name => name.startsWith('kid "../'))).to.have.length.at.least(2);
  });

  it('include tokens with the address of a key, to which a careless verifier connects', () =>
    withListener(forgeries.listenersAnswer, async listener => {
      const names = await believed(forgeries.forgeKeyAddresses(header, content, listener.url));
      expect(names.filter(name => /"(jku|x5u)":"/.test(name))).to.have.length.at.least(4);
      expect(listener.connections()).to.be.at.least(4);
    }));

  it('include well-signed tokens with each wrong claim', async () => {
    const nowS = Date.now() / 1000;
    for (const changes of [forgeries.listWrongTimes(nowS), forgeries.listForeignClaims(content.claims)]) {
      const made = forgeries.forgeClaims(header, content, ring, changes);
      expect(await believed(made)).to.deep.equal(made.map(({ what }) => what));
      expect(new Set(made.map(({ what }) => what)).size).to.equal(changes.length);
    }
  });
});

describe('attacks: one-time codes', () => {
  // RFC 6238 appendix B, the last six of its eight digits.
  for (const [seconds, code] of [
    [59, '287082'],
    [1111111109, '081804'],
    [20000000000, '353130'],
  ] as const)
    it(`match the test vector of RFC 6238 at ${seconds} s`, () => {
      expect(totpCode(Buffer.from('12345678901234567890'), Math.floor(seconds / 30))).to.equal(code);
    });
});
