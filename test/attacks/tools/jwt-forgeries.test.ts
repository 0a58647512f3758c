import { createHmac, randomBytes } from 'node:crypto';
import { expect } from 'chai';
import { readUserUnsafely } from '#backends/defects/jwt.js';
import { withListener } from '#src/attacks/attacks/jwt.js';
import { cookieOf, type Forgery, genuine, readToken, wishFor } from '#src/attacks/tools/forge-jwt.js';
import * as forgeries from '#src/attacks/tools/jwt-forgeries.js';
import { totpCode } from '#src/attacks/tools/second-factor.js';

const ring = [{ id: 'k1', secret: randomBytes(32) }];
const header = { alg: 'HS256', kid: 'k1', typ: 'at+jwt' };
const wish = wishFor('victim', { iss: 'holdfast', aud: 'holdfast:session', sub: 'mallory' });
const sound = cookieOf(header, wish, genuine(ring));
const signature = readToken(sound)?.signature ?? '';
const signed = (text: string) => genuine(ring)(text).toString('base64url');

/** Which of them a verifier believes that makes every known mistake: whatever it refuses was perhaps forged badly. */
async function believed(tokens: readonly Forgery[]): Promise<readonly string[]> {
  const found = [];
  for (const { what, token } of tokens) if ((await readUserUnsafely(token, signed)) === 'victim') found.push(what);
  return found;
}

describe('attacks: forged tokens', () => {
  it('say what the forger wants, and are believed where they are signed well', async () => {
    expect(readToken(sound)).to.deep.include({ header, claims: wish.claims, refresh: wish.refresh });
    expect(await readUserUnsafely(sound, signed)).to.equal('victim');
    expect(
      await readUserUnsafely(cookieOf(header, wish, genuine([{ id: 'k1', secret: randomBytes(32) }])), signed),
    ).to.equal(undefined);
  });

  it('without a signature, or one of zeros', async () => {
    const own = createHmac('sha256', 'own').update('other').digest('base64url');
    const expected = ['no signature', 'no signature and no dot', 'a signature of zeros', 'one zero'];
    expect(await believed(forgeries.unsigned(header, wish, own))).to.deep.equal(expected);
  });

  it('with none, in all sixteen spellings and a few more', async () => {
    const names = (await believed(forgeries.otherwise(header, wish, signature))).filter(name =>
      name.includes('the own'),
    );
    expect(names.filter(name => /^alg "none", /i.test(name))).to.have.length(16);
    expect(new Set(names).size).to.equal(names.length);
  });

  it('with a key of their own, for each algorithm, or with a file for a key', async () => {
    const names = await believed(forgeries.ownKeys(header, wish));
    expect(names).to.include.members(['jwk with a secret', 'jwk for RS256', 'jwk for ES256', 'jwk for EdDSA']);
    expect(names.filter(name => name.startsWith('kid "../'))).to.have.length.at.least(2);
  });

  it('with the key at an address, which is then asked', () =>
    withListener(forgeries.listenersAnswer, async listener => {
      const names = await believed(forgeries.keyAddresses(header, wish, listener.url));
      expect(names.filter(name => /"(jku|x5u)":"/.test(name))).to.have.length.at.least(4);
      expect(listener.connections()).to.be.at.least(4);
    }));

  it('well signed and with every wrong claim', async () => {
    const nowS = Date.now() / 1000;
    for (const changes of [forgeries.untimely(nowS), forgeries.foreign(wish.claims)]) {
      const made = forgeries.saying(header, wish, ring, changes);
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
    it(`are those of RFC 6238 at ${seconds} s`, () => {
      expect(totpCode(Buffer.from('12345678901234567890'), Math.floor(seconds / 30))).to.equal(code);
    });
});
