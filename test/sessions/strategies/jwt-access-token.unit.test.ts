import { createHmac, generateKeyPairSync, randomBytes, sign } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { expect } from 'chai';
import { SessionTooLarge } from '#src/sessions/errors.js';
import { seal } from '#src/sessions/seal.js';
import { newSecret, newSessionId } from '#src/sessions/session.js';
import { type AccessClaims, AccessTokens, tokenBytesMax } from '#src/sessions/strategies/jwt/access-tokens.js';
import { generateKeyRing, type KeyRing } from '#src/shared/key-ring.js';
import { decoded, encoded, Forge } from './jwt-forgery.js';

const lifeMs = 5 * 60_000;
const nowMs = 1_764_018_197_123;

function claimsOf(over: Partial<AccessClaims> = {}): AccessClaims {
  const sid = newSessionId('anna');
  return {
    cookie: 'session',
    sid,
    handle: '0123456789abcdef',
    jti: randomBytes(16).toString('base64url'),
    issuedAtMs: nowMs,
    notBeforeMs: nowMs,
    expiresAtMs: nowMs + lifeMs,
    refreshHash: newSecret(),
    record: {
      user: 'anna',
      version: 1,
      createdAtMs: nowMs,
      idleUntilMs: nowMs + 1,
      absoluteUntilMs: nowMs + 2,
      epochs: { user: nowMs - 2, everyone: nowMs - 1 },
    },
    dataJson: '{"cart":[]}',
    ...over,
  };
}

describe('jwt: access tokens', () => {
  let ring: KeyRing;
  let tokens: AccessTokens;
  let forge: Forge;
  let token: string;
  let said: Record<string, unknown>;

  beforeEach(() => {
    ring = generateKeyRing();
    tokens = new AccessTokens(() => ring, lifeMs);
    forge = new Forge(ring);
    token = tokens.sign(claimsOf(), 'ordinary');
    said = decoded(token);
  });

  it('return their claims, to the millisecond', () => {
    const claims = claimsOf({ dataJson: '{"cart":[["tea",2]],"name":"Zoë"}' });
    const { handle, ...found } = Object(tokens.verify(tokens.sign(claims, 'ordinary')));
    const { handle: _, ...put } = claims;
    expect(found).to.deep.equal(put);
    expect(handle).to.match(/^[0-9a-f]{16}$/);
  });

  it('fit with security data when they would not fit without it', () => {
    const claims = claimsOf({ dataJson: JSON.stringify({ cart: 'x'.repeat(1_400) }) });
    expect(() => tokens.sign(claims, 'ordinary')).to.throw(SessionTooLarge);
    expect(tokens.verify(tokens.sign(claims, 'reserve'))).to.be.an('object');
  });

  it('carry the registered claims, and a type of their own', () => {
    expect(decoded(token, 0)).to.deep.equal({ alg: 'HS256', kid: ring[0]?.id, typ: 'at+jwt' });
    expect(said).to.include({ iss: 'holdfast', aud: 'holdfast:session', sub: 'anna', iat: nowMs / 1000 });
    expect(said).to.include.keys('sid', 'jti', 'exp');
  });

  it('the forge of these tests also makes genuine tokens, so each refusal below has its own reason', () => {
    expect(tokens.verify(forge.signed(said))).to.deep.equal(tokens.verify(token));
  });

  describe('with a good signature', () => {
    const seconds = nowMs / 1000;
    const wrong: Record<string, unknown> = {
      'exp as text': { exp: String(seconds + 60) },
      'no exp': { exp: undefined },
      'exp null': { exp: null },
      'exp huge': { exp: 1e300 },
      'exp a second beyond the life': { exp: seconds + lifeMs / 1000 + 1 },
      'exp at iat': { exp: seconds },
      'exp before iat': { exp: seconds - 60 },
      'iat as text': { iat: String(seconds) },
      'no iat': { iat: undefined },
      'nbf as text': { nbf: String(seconds) },
      'another aud': { aud: 'mail:session' },
      'aud a list': { aud: ['holdfast:session'] },
      'no aud': { aud: undefined },
      'another iss': { iss: 'holdfaster' },
      'no iss': { iss: undefined },
      'sub a number': { sub: 7 },
      'sub empty': { sub: '' },
      'no sub': { sub: undefined },
      'sid no id': { sid: '../../etc/passwd' },
      'no sid': { sid: undefined },
      'no jti': { jti: undefined },
      'no refresh': { refresh: undefined },
      'version a fraction': { version: 1.5 },
      'epochs missing': { epochs: undefined },
      'epochs incomplete': { epochs: [1] },
      'epochs as text': { epochs: ['1', '2'] },
      'data a list': { data: [] },
      'no data': { data: undefined },
      'absolute as text': { absolute: '1' },
    };
    for (const [what, over] of Object.entries(wrong)) {
      it(`are refused: ${what}`, () => {
        expect(tokens.verify(forge.signed({ ...said, ...Object(over) }))).to.equal('forged');
      });
    }

    it('are refused: infinite numbers, no object, no JSON', () => {
      const text = JSON.stringify(said);
      for (const claims of [
        text.replace(/"exp":[\d.]+/, '"exp":1e999'),
        '[]',
        'null',
        '"x"',
        '',
        '{"iss":',
        '\u0000',
      ]) {
        const found = tokens.verify(forge.text(JSON.stringify(decoded(token, 0)), claims));
        expect(found, claims).to.be.oneOf(['forged', 'malformed']);
      }
    });

    const headers: Record<string, object> = {
      'alg none': { alg: 'none' },
      'alg HS512': { alg: 'HS512' },
      'alg RS256': { alg: 'RS256' },
      'typ JWT': { typ: 'JWT' },
      'typ of a refresh token': { typ: 'rt+jwt' },
      'typ of a pre-authentication token': { typ: 'pre+jwt' },
      'typ in capitals': { typ: 'AT+JWT' },
      'typ in full': { typ: 'application/at+jwt' },
      'no typ': { typ: undefined },
      'no kid': { kid: undefined },
      'an unknown kid': { kid: 'k999' },
      'kid a path': { kid: '../../../../dev/null' },
      'kid a query': { kid: "x' UNION SELECT 'a" },
      'kid a list': { kid: ['k1'] },
      'kid of Object': { kid: '__proto__' },
      jwk: { jwk: { kty: 'oct', k: encoded('x'.repeat(32)) } },
      x5u: { x5u: 'http://127.0.0.1:1/' },
      x5c: { x5c: [] },
      crit: { crit: ['exp'], exp: 1 },
      zip: { zip: 'DEF' },
      b64: { b64: false, crit: ['b64'] },
      cty: { cty: 'JWT' },
      'an unknown member': { x: 1 },
    };
    for (const [what, header] of Object.entries(headers)) {
      it(`are refused with the header: ${what}`, () => {
        expect(tokens.verify(forge.signed(said, header))).to.equal('forged');
      });
    }

    it('are refused with another spelling of the header', () => {
      const { id } = ring[0] ?? { id: '' };
      for (const header of [
        `{"typ":"at+jwt","alg":"HS256","kid":"${id}"}`,
        `{ "alg":"HS256","kid":"${id}","typ":"at+jwt"}`,
        `{"alg":"none","alg":"HS256","kid":"${id}","typ":"at+jwt"}`,
      ]) {
        expect(tokens.verify(forge.text(header, said)), header).to.equal('forged');
      }
    });
  });

  describe('with a bad signature', () => {
    for (const alg of ['none', 'None', 'NONE', 'nOnE', 'none ', '', 'NoNe\u0000', 'hs256', 'HS256 ']) {
      it(`are refused: alg ${JSON.stringify(alg)} with no, an empty or an old signature`, () => {
        const [, payload = '', signature = ''] = token.split('.');
        const header = encoded(JSON.stringify({ ...decoded(token, 0), alg }));
        for (const end of ['', '.', `.${signature}`, `.${'A'.repeat(43)}`]) {
          expect(tokens.verify(`${header}.${payload}${end}`)).to.be.oneOf(['forged', 'malformed']);
        }
      });
    }

    it('are refused: empty, all zero, truncated, extended, or of another length', () => {
      const [header, payload, signature = ''] = token.split('.');
      for (const end of ['', 'A'.repeat(43), signature.slice(1), `${signature}A`, 'AA', `${signature}==`]) {
        expect(tokens.verify(`${header}.${payload}.${end}`), end).to.be.oneOf(['forged', 'malformed']);
      }
    });

    it('have one spelling: no other last character gives the same bytes', () => {
      const last = token.at(-1) ?? '';
      for (const other of 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_+/=') {
        if (other === last) continue;
        expect(tokens.verify(token.slice(0, -1) + other), other).to.be.oneOf(['forged', 'malformed']);
      }
    });

    it('are refused: made with another key under a known name, an empty key, or the secret itself', () => {
      const header = JSON.stringify(decoded(token, 0));
      for (const key of [randomBytes(32), Buffer.alloc(0), Buffer.alloc(32), ring[0]?.secret ?? expect.fail()]) {
        expect(tokens.verify(forge.text(header, said, key))).to.equal('forged');
      }
    });

    it('are refused: RS256 with the public key as the secret, and the reverse', () => {
      const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
      const pem = publicKey.export({ type: 'spki', format: 'pem' });
      const header = JSON.stringify({ ...decoded(token, 0), jwk: publicKey.export({ format: 'jwk' }) });
      expect(tokens.verify(forge.text(header, said, Buffer.from(pem)))).to.equal('forged');
      const signing = `${encoded(JSON.stringify({ ...decoded(token, 0), alg: 'RS256' }))}.${token.split('.')[1]}`;
      const rsa = sign('sha256', Buffer.from(signing), privateKey).toString('base64url');
      expect(tokens.verify(`${signing}.${rsa}`)).to.be.oneOf(['forged', 'malformed']);
    });

    it('are refused after any single character was changed', () => {
      for (let at = 0; at < token.length; at++) {
        const other = token[at] === 'A' ? 'B' : 'A';
        const found = tokens.verify(token.slice(0, at) + other + token.slice(at + 1));
        expect(found, `character ${at}`).to.be.oneOf(['forged', 'malformed']);
      }
    });

    it('are refused after truncation at any point', () => {
      for (let end = 0; end < token.length; end++) {
        expect(tokens.verify(token.slice(0, end)), `${end}`).to.be.oneOf(['forged', 'malformed']);
      }
    });
  });

  it('that name a key elsewhere cause no request there', async () => {
    let connections = 0;
    const listener = createServer(socket => {
      connections++;
      socket.destroy();
    }).listen(0, '127.0.0.1');
    await once(listener, 'listening');
    const address = listener.address();
    const port = typeof address === 'object' ? address?.port : undefined;
    for (const member of ['jku', 'x5u', 'kid']) {
      const found = tokens.verify(forge.signed(said, { [member]: `http://127.0.0.1:${port}/keys.json` }));
      expect(found).to.equal('forged');
    }
    listener.close();
    await once(listener, 'close');
    expect(connections).to.equal(0);
  });

  it('are refused for another purpose: sealed text and refresh tokens', () => {
    for (const other of [seal(ring, 'pre-login', JSON.stringify(said)), newSecret(), '', '..', 'a.b', 'a.b.c.d.e']) {
      expect(tokens.verify(other), other).to.equal('malformed');
    }
  });

  it('longer than the limit are not parsed', () => {
    const long = forge.signed({ ...said, more: 'x'.repeat(tokenBytesMax) });
    expect(tokens.verify(long)).to.equal('malformed');
  });

  it('that would exceed the limit are rejected with the name of the largest claim', () => {
    const { record } = claimsOf();
    for (const [name, over] of [
      ['data', { dataJson: JSON.stringify({ cart: 'x'.repeat(1500) }) }],
      ['sub', { record: { ...record, user: 'é'.repeat(800) } }],
    ] as const) {
      const tooLarge = new RegExp(`at most 2346 are kept, and "${name}" alone takes 1[56]\\d\\d`);
      expect(() => tokens.sign(claimsOf(over), 'ordinary')).to.throw(SessionTooLarge, tooLarge);
    }
  });

  describe('when the keys change', () => {
    it('the newest key signs, older keys still verify, and a removed key invalidates its tokens', () => {
      const old = ring;
      ring = [...generateKeyRing(), ...old];
      expect(tokens.verify(token)).to.be.an('object');
      expect(decoded(tokens.sign(claimsOf(), 'ordinary'), 0)).to.include({ kid: ring[0]?.id });
      ring = ring.slice(0, 1);
      expect(tokens.verify(token), 'though it was seen before').to.equal('forged');
      ring = [{ id: old[0]?.id ?? '', secret: randomBytes(32) }];
      expect(tokens.verify(token), 'another secret under the old name').to.equal('forged');
      ring = old;
      expect(tokens.verify(token)).to.be.an('object');
    });
  });

  it('a token gives the same claims the second time, and callers cannot change them', () => {
    const first = tokens.verify(token);
    expect(tokens.verify(token)).to.equal(first);
    const hmac = createHmac('sha256', 'x').update(token).digest('base64url');
    const swapped = `${token.slice(0, token.lastIndexOf('.'))}.${hmac}`;
    expect(tokens.verify(swapped)).to.equal('forged');
  });
});
