import { randomBytes } from 'node:crypto';
import { expect } from 'chai';
import { readSealUnsafely } from '#backends/defects/tokens.js';
import * as forgeries from '#src/attacks/attacks/sealed.js';
import { type Forgery, openSeal } from '#src/attacks/tools/forge.js';
import { seal, unseal } from '#src/sessions/seal.js';

const ring = [{ id: 'k1', secret: randomBytes(32) }];
const nowMs = 1_700_000_000_000;
const fields = [randomBytes(32).toString('base64url'), 'mallory', nowMs, 1_000, 500, 0, 1, { cart: [] }];
const forge = forgeries.makeSealForge(seal(ring, 'session', JSON.stringify(fields)), fields, ring);

/** Checks that a reader with every known defect accepts each forgery, and that the sound one does not open it. */
function expectBelieved(tokens: readonly Forgery[]): void {
  expect(
    tokens.filter(({ token }) => readSealUnsafely(token, ring) !== forge.victim).map(({ what }) => what),
  ).to.deep.equal([]);
  expect(new Set(tokens.map(({ what }) => what)).size).to.equal(tokens.length);
}

function expectRefused(tokens: readonly Forgery[]): void {
  const opened = tokens.filter(({ token }) => typeof unseal(ring, 'session', token) !== 'string');
  expect(opened.map(({ what }) => what)).to.deep.equal([]);
}

describe('attacks: forged sealed tokens', () => {
  it('are sealed as the shop seals, with the name of the victim', () => {
    expect(openSeal(forge.seal(forge.fields), ring)).to.deep.equal(fields.with(1, 'mallorx'));
    expect(unseal(ring, 'session', forge.seal(forge.fields))).to.include({ keyId: 'k1' });
  });

  it('change the user name in the encrypted bytes, under four wrong tags', () => {
    const made = forgeries.forgeAlteredTokens(forge);
    expectBelieved(made);
    expectRefused(made);
  });

  it('use a guessed key, a named file, or no encryption', () => {
    const made = forgeries.forgeForeignKeys(forge);
    const guessed = made.filter(({ probe }) => probe === 'a guessed key');
    expectBelieved(guessed.filter(({ what }) => what.endsWith('"secret"')));
    expectBelieved(made.filter(({ probe, what }) => probe !== 'a guessed key' && what !== 'the key id /dev/null'));
    expectRefused(made);
  });

  it('use the key of another purpose', () => {
    const made = forgeries.forgePurposes(forge);
    expectBelieved(made);
    expectRefused(made);
  });

  it('hold each wrong time', () => {
    expectBelieved(forgeries.forgeTimes(forge, nowMs));
  });
});
