import { expect } from 'chai';
import {
  digestOf,
  isSecret,
  isSessionId,
  newSecret,
  newSessionId,
  userTagIn,
  userTagOf,
} from '#src/sessions/session.js';

describe('session ids', () => {
  const ids = Array.from({ length: 10_000 }, () => newSessionId('anna'));

  it('never repeat and are well-formed', () => {
    expect(new Set(ids)).to.have.length(ids.length);
    expect(ids.filter(id => !isSessionId(id))).to.deep.equal([]);
  });

  it('end with the tag of their user, and never with its name', () => {
    expect(new Set(ids.map(userTagIn))).to.deep.equal(new Set([userTagOf('anna')]));
    expect(userTagOf('anna')).to.match(/^[\w-]{16}$/);
    expect(userTagOf('Anna')).not.to.equal(userTagOf('anna'));
  });

  it('are no secrets, and secrets are no ids', () => {
    const secret = newSecret();
    expect([isSecret(secret), isSessionId(secret)]).to.deep.equal([true, false]);
    expect(isSecret(ids[0] ?? '')).to.equal(false);
  });

  it('have no biased bit', () => {
    const ones = new Array<number>(256).fill(0);
    for (const id of ids) {
      Buffer.from(id.slice(0, 43), 'base64url').forEach((byte, at) => {
        for (let bit = 0; bit < 8; bit++) ones[at * 8 + bit] = (ones[at * 8 + bit] ?? 0) + ((byte >> bit) & 1);
      });
    }
    // Fair bits are set 5000 times with a standard deviation of 50. Six deviations happen once in two million runs.
    for (const count of ones) expect(count).to.be.within(4_700, 5_300);
  });

  it('have one spelling', () => {
    const [id = ''] = ids;
    const wrong = [
      '',
      'x',
      id.slice(1),
      `${id}A`,
      `${id}=`,
      ` ${id}`,
      `${id}\n`,
      `"${id}"`,
      `${id.slice(0, -1)}!`,
      `${id.slice(0, 42)}B${id.slice(43)}`,
      id.replace(/./, 'é'),
      '../'.repeat(15),
      '__proto__',
    ];
    expect(wrong.filter(isSessionId)).to.deep.equal([]);
  });

  it('have a digest that does not contain the id', () => {
    expect(digestOf('abc')).to.equal('ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad');
  });
});
