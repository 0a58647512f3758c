import { randomBytes } from 'node:crypto';
import { expect } from 'chai';
import { makeVerifier, readUserUnsafely } from '#backends/defects/tokens.js';
import { withListener } from '#src/attacks/attacks/jwt.js';
import {
  buildCookie,
  type Forgery,
  makeContent,
  makeOwnPairs,
  makeShopSigner,
  readToken,
} from '#src/attacks/tools/forge.js';
import * as forgeries from '#src/attacks/tools/jwt-forgeries.js';
import { computeTotpCode } from '#src/attacks/tools/shop.js';

const ring = [{ id: 'k1', secret: randomBytes(32) }];
const header = { alg: 'HS256', kid: 'k1', typ: 'at+jwt' };
const content = makeContent('victim', { iss: 'holdfast', aud: 'holdfast:session', sub: 'mallory' });
const sound = buildCookie(header, content, makeShopSigner(ring));
const own = buildCookie(header, makeContent('mallory', {}), makeShopSigner(ring));
const verifier = makeVerifier(() => ring);

/** Checks that a verifier with every known defect accepts each forgery. One that it refuses may be badly made. */
async function expectBelieved(tokens: readonly Forgery[]): Promise<void> {
  const refused = [];
  for (const { what, token } of tokens) if ((await readUserUnsafely(token, verifier)) !== 'victim') refused.push(what);
  expect(refused).to.deep.equal([]);
  expect(new Set(tokens.map(({ what }) => what)).size).to.equal(tokens.length);
}

describe('attacks: forged tokens', () => {
  it('hold the claims of the attacker, and are accepted when they are well signed', async () => {
    expect(readToken(sound)).to.deep.include({ header, claims: content.claims, refresh: content.refresh });
    expect(await readUserUnsafely(sound, verifier)).to.equal('victim');
    const foreign = buildCookie(header, content, makeShopSigner([{ id: 'k1', secret: randomBytes(32) }]));
    expect(await readUserUnsafely(foreign, verifier)).to.equal(undefined);
  });

  it('include signatures that are missing, of another text, and by a guessed key', async () => {
    await readUserUnsafely(own, verifier);
    const made = forgeries.forgeSignatures(header, content, readToken(own)?.signature ?? '');
    const guessed = made.filter(({ what }) => what.startsWith('the key'));
    await expectBelieved(made.filter(forgery => !guessed.includes(forgery)));
    await expectBelieved(guessed.filter(({ what }) => what.endsWith('"secret"')));
  });

  it('include the algorithm "none" in all sixteen spellings, other digests, and a published key', async () => {
    const published = [verifier.publicKey.export({ format: 'jwk' })];
    const made = forgeries.forgeAlgorithms(header, content, ring, published);
    const spelt = made.filter(({ what }) => /^alg " ?none ?", /i.test(what));
    expect(spelt).to.have.length(18);
    await expectBelieved(spelt);
    await expectBelieved(made.filter(({ probe }) => probe === 'another digest'));
    await expectBelieved(made.filter(({ what }) => what.includes('PEM of the published key')));
  });

  it('include tokens with their own key or certificate, and with a file or a query as key', async () => {
    const made = forgeries.forgeWithOwnKeys(header, content, await makeOwnPairs());
    expect(made.filter(({ probe }) => probe === 'a key in jwk')).to.have.length(4);
    expect(made.filter(({ probe }) => probe === 'a certificate in x5c')).to.have.length(1);
    await expectBelieved(made.filter(({ what }) => !what.startsWith('kid "/dev')));
    await expectBelieved(forgeries.forgeExtensions(header, content, ring));
  });

  it('include tokens with the address of a key, which a careless verifier asks for it', () =>
    withListener(forgeries.listenersAnswer, async listener => {
      const made = forgeries.forgeKeyAddresses(header, content, listener.url);
      for (const { token } of made) await readUserUnsafely(token, verifier);
      expect([...listener.paths].sort()).to.deep.equal(['/iss', '/jku', '/kid', '/x5u']);
    }));

  it('include well-signed tokens with each wrong claim', async () => {
    for (const changes of [forgeries.listWrongTimes(Date.now() / 1000), forgeries.listForeignClaims(content.claims)])
      await expectBelieved(forgeries.forgeClaims(header, content, ring, changes));
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
      expect(computeTotpCode(Buffer.from('12345678901234567890'), Math.floor(seconds / 30))).to.equal(code);
    });
});
