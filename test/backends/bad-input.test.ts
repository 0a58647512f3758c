import { randomBytes } from 'node:crypto';
import { request } from 'node:http';
import { text } from 'node:stream/consumers';
import { expect } from 'chai';
import { type ModeName, modeNames, modes } from '#src/modes.js';
import { seal } from '#src/sessions/seal.js';
import { newSecret, newSessionId } from '#src/sessions/session.js';
import { hashOf } from '#src/sessions/strategies/jwt/refresh-families.js';
import { payloadText } from '#src/sessions/strategies/sealed.js';
import { generateKeyRing, type KeyRing, parseKeyRing } from '#src/shared/key-ring.js';
import { Forge } from '../sessions/strategies/jwt-forgery.js';
import { type ModeLab, startModeLab } from './mode-lab.js';
import { type Answer, Visitor } from './visitor.js';
import { withProxy } from './with-proxy.js';
import { type ShopProcess, startShop } from './with-shop.js';

const withinMs = 5_000;
const kibibyte = 1024;
const dayMs = 24 * 3_600_000;

describe('shop: bad input, with and without a proxy', () => {
  for (const mode of modeNames) describe(mode, () => badInputIn(mode));
});

function badInputIn(mode: ModeName): void {
  let lab: ModeLab;
  let shop: ShopProcess;

  before(async () => {
    lab = await startModeLab(mode);
    shop = await startShop(lab.settings('backend-1'));
  });

  after(async () => {
    shop.signal('SIGKILL');
    await shop.ended;
    await lab.stop();
  });

  /** Runs `work` with the address of the proxy, then with the address of the shop. */
  async function bothWays(work: (url: string) => Promise<void>): Promise<void> {
    await withProxy([shop], { sticky: false }, proxy => work(proxy.url));
    await work(shop.url);
  }

  it('a bad token opens nothing, sets no cookie, and gets its reason', () =>
    bothWays(async url => {
      const anna = await new Visitor(url).logIn('anna');
      const own = String(anna.cookie).replace(/^session=/, '');
      const ring = parseKeyRing(lab.settings('backend-1').SHOP_SECRETS ?? '');
      for (const [what, token] of badTokens(mode, own, ring)) {
        const thief = () => new Visitor(url, `session=${token}`);
        const { status, json, headers } = await inTime(thief().get('/cart'));
        expect(status, what).to.equal(401);
        expect(json.why, what).to.be.oneOf(['malformed', 'forged', 'unknown', 'expired']);
        expect(headers.getSetCookie(), what).to.deep.equal([]);
        expect((await inTime(thief().get('/me'))).json.user, what).to.equal(null);
      }
      expect((await anna.get('/me')).json.user, 'the owner').to.equal('anna');
    }));

  it('a Cookie header over 16 KiB returns 431; below that, its session counts', () =>
    bothWays(async url => {
      const anna = await new Visitor(url).logIn('anna');
      const statuses = [];
      for (const bytes of [12, 14, 15, 15.25, 15.5, 15.75, 15.9, 16, 16.5, 24].map(size => size * kibibyte)) {
        const filler = 'x'.repeat(Math.round(bytes - String(anna.cookie).length));
        const cookie = `${anna.cookie}; other=${filler}`;
        const { status, json, headers } = await inTime(new Visitor(url, cookie).get('/me'));
        if (status === 200) expect(json.user, `${bytes} bytes`).to.equal('anna');
        expect(headers.getSetCookie(), `${bytes} bytes`).to.deep.equal([]);
        statuses.push(status);
      }
      expect(statuses.slice(0, 2)).to.deep.equal([200, 200]);
      expect(statuses.slice(-3)).to.deep.equal([431, 431, 431]);
      expect(new Set(statuses)).to.deep.equal(new Set([200, 431]));
      expect((await anna.get('/me')).json.user, 'afterwards').to.equal('anna');
    }));

  it('a name with control characters is refused, and its sender keeps their session', () =>
    bothWays(async url => {
      const anna = await new Visitor(url).logIn('anna');
      for (const user of [
        'berta\0',
        '\0berta',
        'ber\u0007ta',
        'berta\r\nSet-Cookie: a=b',
        'berta\u007f',
        '\u202ebeta',
        'BERTA',
        '',
      ]) {
        for (const visitor of [new Visitor(url), new Visitor(url, anna.cookie)]) {
          const { status, headers, json } = await inTime(visitor.post('/login', { user, password: 'secret' }));
          expect(status, JSON.stringify(user)).to.be.oneOf([400, 401]);
          expect(json.error, JSON.stringify(user)).to.be.a('string');
          expect(headers.getSetCookie(), JSON.stringify(user)).to.deep.equal([]);
        }
      }
      expect((await anna.get('/me')).json.user).to.equal('anna');
      for (const path of ['/cart/%00', '/cart/tea%0d%0a', '/cart/%ff', '/cart/%'])
        expect((await inTime(anna.delete(path))).status, path).to.equal(400);
    }));

  it('a cart of 1 MB returns 413, and the cart stays as it was', () =>
    bothWays(async url => {
      const anna = await new Visitor(url).logIn('anna');
      await anna.add('tea');
      const body = JSON.stringify({ sku: 'x'.repeat(1024 * kibibyte) });
      for (const chunked of [false, true]) {
        const { status, setCookies, answer } = await posted(`${url}/cart`, String(anna.cookie), body, chunked);
        expect(status, answer).to.equal(413);
        expect(setCookies).to.deep.equal([]);
        expect(await anna.skus()).to.deep.equal(['tea']);
      }
    }));
}

/** Tokens as a thief, a broken browser or a wrong clock would send them. */
function badTokens(mode: ModeName, own: string, ring: KeyRing): readonly (readonly [what: string, token: string])[] {
  const other = generateKeyRing().map(({ secret }) => ({ id: ring[0]?.id ?? '', secret }));
  const { strategy } = modes[mode];
  const made = { reference: () => newSessionId('anna'), jwt: signedAt, sealed: sealedAt }[strategy];
  return [
    ['half', own.slice(0, own.length / 2)],
    ['one character short', own.slice(0, -1)],
    ['one character long', `${own}A`],
    ['twice', own + own],
    ['empty', ''],
    ['5,000 characters', own.padEnd(5_000, 'A')],
    ['4,000 characters', own.padEnd(4_000, 'A')],
    [
      'no text',
      randomBytes(32)
        .toString('latin1')
        .replaceAll(/[^\x21-\x3a\x3c-\x7e\xa1-\xff]/g, '~'),
    ],
    ['another key', made(other, 0)],
    ['the future', made(ring, dayMs)],
  ];
}

function signedAt(ring: KeyRing, aheadMs: number): string {
  const refresh = newSecret();
  const [nowMs, sid] = [Date.now() + aheadMs, newSessionId('berta')];
  const times = { iat: nowMs / 1000, exp: nowMs / 1000 + 60 };
  const limits = { version: 1, created: nowMs, absolute: nowMs + dayMs, idle: nowMs + 60_000 };
  const epochs = [nowMs, nowMs];
  const names = { iss: 'holdfast', aud: 'holdfast:session', sub: 'berta', sid, jti: 'j', refresh: hashOf(refresh) };
  return `${new Forge(ring).signed({ ...names, ...times, ...limits, epochs, data: {} })}~${refresh}`;
}

function sealedAt(ring: KeyRing, aheadMs: number): string {
  const createdAtMs = Date.now() + aheadMs;
  const limits = { createdAtMs, idleUntilMs: createdAtMs + 60_000, absoluteUntilMs: createdAtMs + dayMs };
  const record = { user: 'berta', version: 1, data: {}, epochs: { user: 1, everyone: 1 }, ...limits };
  return seal(ring, 'session', payloadText({ sid: newSessionId('berta'), issuedAtMs: createdAtMs, record }));
}

async function inTime(answer: Promise<Answer>): Promise<Answer> {
  const sinceMs = performance.now();
  const answered = await answer;
  expect(performance.now() - sinceMs).to.be.below(withinMs);
  return answered;
}

/** Sends a large request with node:http. `fetch` gives up when a response arrives during the upload. */
function posted(url: string, cookie: string, body: string, chunked: boolean) {
  const framing = chunked ? { 'transfer-encoding': 'chunked' } : { 'content-length': body.length };
  const headers = { cookie, 'content-type': 'application/json', ...framing };
  return new Promise<{ status: number; setCookies: readonly string[]; answer: string }>((resolve, reject) => {
    const signal = AbortSignal.timeout(withinMs);
    const outgoing = request(url, { method: 'POST', headers, agent: false, signal }, incoming => {
      const setCookies = incoming.headers['set-cookie'] ?? [];
      text(incoming).then(answer => resolve({ status: incoming.statusCode ?? 0, setCookies, answer }), reject);
    });
    outgoing.on('error', reject);
    outgoing.end(body);
  });
}
