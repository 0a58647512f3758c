import { createDecipheriv, createSecretKey, hkdfSync } from 'node:crypto';
import { expect } from 'chai';
import fc from 'fast-check';
import { seal, sealedCharsMax, sealedCharsOf, unseal } from '#src/sessions/seal.js';
import { generateKeyRing, type KeyRing, parseKeyRing } from '#src/shared/key-ring.js';

const ring = parseKeyRing(`new:${'a1'.repeat(32)},old_1-x:${'b2'.repeat(40)}`);
const purpose = 'session';
const text = JSON.stringify({ user: 'ännchen \u{1f980}', cart: [['tea', 2]] });

const oldRing: KeyRing = ring.slice(1);
const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';

describe('seal', () => {
  it('opens what it sealed, for any text, and predicts the length', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', maxLength: 600 }), said => {
        const token = seal(ring, purpose, said);
        expect(token).to.match(/^v1\.new\.[A-Za-z0-9_-]+$/);
        expect(token).to.have.length(sealedCharsOf(ring, said));
        expect(unseal(ring, purpose, token)).to.deep.equal({ text: said, keyId: 'new' });
      }),
    );
  });

  it('follows its documented format: the secret is enough to open a token by hand', () => {
    const [, , body = ''] = seal(ring, purpose, text).split('.');
    const sealed = Buffer.from(body, 'base64url');
    const key = createSecretKey(Buffer.from(hkdfSync('sha256', Buffer.from('a1'.repeat(32), 'hex'), '', purpose, 32)));
    const decipher = createDecipheriv('aes-256-gcm', key, sealed.subarray(0, 12)).setAAD(Buffer.from('v1.new'));
    decipher.setAuthTag(sealed.subarray(-16));
    expect(decipher.update(sealed.subarray(12, -16), undefined, 'utf8') + decipher.final('utf8')).to.equal(text);
  });

  it('never makes the same token twice, nor shows any of the text', () => {
    const tokens = new Set(Array.from({ length: 2_000 }, () => seal(ring, purpose, text)));
    expect(tokens).to.have.length(2_000);
    const [token = ''] = tokens;
    expect(Buffer.from(token.split('.')[2] ?? '', 'base64url').toString('latin1')).not.to.match(/cart|user|tea/);
  });

  it('adds 50 characters to what base64url makes of the text, with a key id of eight', () => {
    expect(seal(generateKeyRing(), purpose, 'x'.repeat(300))).to.have.length(400 + 50);
  });

  it('opens with every key of the ring, and names the key', () => {
    const token = seal(oldRing, purpose, text);
    expect(unseal(ring, purpose, token)).to.deep.equal({ text, keyId: 'old_1-x' });
    expect(unseal(ring.slice(0, 1), purpose, token)).to.equal('forged');
    expect(unseal([], purpose, token)).to.equal('forged');
  });

  it('opens nothing after one character was changed', () => {
    const token = seal(ring, purpose, text);
    for (let at = 0; at < token.length; at++) {
      for (const character of [...alphabet].filter((_, n) => n % 7 === at % 7).concat('.', '=', '+', ' ')) {
        if (character === token[at]) continue;
        const changed = token.slice(0, at) + character + token.slice(at + 1);
        expect(unseal(ring, purpose, changed), `${character} at ${at}`).to.be.oneOf(['malformed', 'forged']);
      }
    }
  });

  it('opens nothing after one bit of any byte was flipped', () => {
    const [version, keyId, body = ''] = seal(ring, purpose, text).split('.');
    const sealed = Buffer.from(body, 'base64url');
    for (let bit = 0; bit < sealed.length * 8; bit++) {
      const flipped = Buffer.from(sealed);
      flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      const token = [version, keyId, flipped.toString('base64url')].join('.');
      expect(unseal(ring, purpose, token), `bit ${bit}`).to.equal('forged');
    }
  });

  it('opens nothing that was truncated at either end, or extended', () => {
    const token = seal(ring, purpose, text);
    for (let length = 0; length < token.length; length++) {
      const [beginning, end] = [token.slice(0, length), token.slice(token.length - length)];
      expect(unseal(ring, purpose, beginning), `the first ${length}`).to.be.oneOf(['malformed', 'forged']);
      expect(unseal(ring, purpose, end), `the last ${length}`).to.be.oneOf(['malformed', 'forged']);
    }
    for (const more of ['A', 'AA', 'AAAA', '=', '==', '.', '.A', ' ', '\n', '\0', ';', token, `.${token}`]) {
      expect(unseal(ring, purpose, token + more), JSON.stringify(more)).to.be.oneOf(['malformed', 'forged']);
      expect(unseal(ring, purpose, more + token), JSON.stringify(more)).to.be.oneOf(['malformed', 'forged']);
    }
  });

  it('accepts one spelling of a token: no trailing bits, no padding, no other alphabet', () => {
    for (const said of ['', 'a', 'ab', 'abc', text]) {
      const token = seal(ring, purpose, said);
      const bytes = Buffer.from(token.split('.')[2] ?? '', 'base64url');
      const twins = [...alphabet].map(character => token.slice(0, -1) + character);
      const opening = twins.filter(twin => typeof unseal(ring, purpose, twin) !== 'string');
      expect(opening).to.deep.equal([token]);
      expect(unseal(ring, purpose, `v1.new.${bytes.toString('base64url')}=`)).to.equal('malformed');
      const plain = bytes.toString('base64');
      if (/[+/=]/.test(plain)) expect(unseal(ring, purpose, `v1.new.${plain}`)).to.equal('malformed');
    }
  });

  it('opens nothing for another purpose, nor under the id of another key', () => {
    const token = seal(ring, purpose, text);
    for (const other of ['', 'Session', '__Host-session', 'pre-login', 'session ']) {
      expect(unseal(ring, other, token), other).to.equal('forged');
    }
    expect(unseal(ring, purpose, token.replace('.new.', '.old_1-x.'))).to.equal('forged');
    const renamed: KeyRing = ring.map(({ id, secret }) => ({ id: `${id}2`, secret }));
    expect(unseal(renamed, purpose, token)).to.equal('forged');
    expect(unseal(renamed, purpose, token.replace('.new.', '.new2.'))).to.equal('forged');
  });

  const body = seal(ring, purpose, text).slice('v1.new.'.length);
  for (const [what, token, said] of [
    ['nothing', '', 'malformed'],
    ['a session id', 'A'.repeat(43), 'malformed'],
    ['three empty parts', '..', 'malformed'],
    ['an empty body', 'v1.new.', 'malformed'],
    ['a body too short for a nonce and a tag', `v1.new.${'A'.repeat(36)}`, 'malformed'],
    ['a body of nothing but zeros', `v1.new.${'A'.repeat(64)}`, 'forged'],
    ['another version', `v2.new.${body}`, 'forged'],
    ['an old version', `v0.new.${body}`, 'forged'],
    ['the version in capitals', `V1.new.${body}`, 'malformed'],
    ['no version', `new.${body}`, 'malformed'],
    ['the version with a zero', `v01.new.${body}`, 'forged'],
    ['an unknown key', `v1.newer.${body}`, 'forged'],
    ['a key id with dots and slashes', `v1.../../etc/passwd.${body}`, 'malformed'],
    ['__proto__ for a key id', `v1.__proto__.${body}`, 'forged'],
    ['a key id that is too long', `v1.${'k'.repeat(33)}.${body}`, 'malformed'],
    ['four parts', `v1.new.${body}.${body}`, 'malformed'],
    ['letters beyond ASCII', `v1.new.${body.slice(0, -1)}é`, 'malformed'],
    ['more than a cookie holds', `v1.new.${'A'.repeat(sealedCharsMax)}`, 'malformed'],
    ['ten megabytes', 'v1.new.'.repeat(1_500_000), 'malformed'],
  ] as const) {
    it(`reports ${said} for ${what}`, () => {
      expect(unseal(ring, purpose, token)).to.equal(said);
    });
  }

  it('seals nothing that is too long to open, and nothing without a key', () => {
    const most = Math.floor(((sealedCharsMax - 'v1.new.'.length) * 3) / 4) - 28;
    const token = seal(ring, purpose, 'x'.repeat(most));
    expect(token.length).to.be.within(sealedCharsMax - 2, sealedCharsMax);
    expect(unseal(ring, purpose, token)).to.have.property('keyId', 'new');
    expect(() => seal(ring, purpose, 'x'.repeat(most + 2))).to.throw(RangeError, /at most 4096/);
    expect(() => seal([], purpose, 'x')).to.throw(RangeError, 'the key ring is empty');
  });
});
