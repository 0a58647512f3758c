import { createHash } from 'node:crypto';
import { expect } from 'chai';
import fc from 'fast-check';
import {
  AffinityCookies,
  type AffinityReading,
  incarnationBytesMax,
  makeBrowserId,
} from '#src/proxy/affinity/affinity-cookie.js';
import type { AffinityOptions } from '#src/proxy/options.js';
import { generateKeyRing, KeyRingError } from '#src/shared/key-ring.js';

const minuteMs = 60_000;
const hourMs = 60 * minuteMs;
const startMs = Date.UTC(2025, 0, 1);
const ring = generateKeyRing();
const browser = makeBrowserId();

describe('affinity cookie', () => {
  describe('a genuine cookie', () => {
    it('returns what was written into it, for any name, incarnation and date', () => {
      fc.assert(
        fc.property(claims, fc.boolean(), ({ name, incarnation, ageMs }, secure) => {
          const cookies = affinity();
          const backendId = cookies.backendId(name);
          const issuedMs = startMs - ageMs;
          const value = cookieValue(cookies.issue({ backendId, incarnation, issuedMs, browser }, secure, startMs));
          const expected: AffinityReading = {
            kind: 'bound',
            backendId,
            incarnation,
            issuedMs,
            seenMs: startMs,
            browser,
          };
          expect(cookies.read(value, secure, startMs)).to.deep.equal(expected);
          expect(cookies.read(value, secure, startMs), 'from the cache').to.deep.equal(expected);
          expect(affinity().read(value, secure, startMs), 'on another proxy').to.deep.equal(expected);
        }),
      );
    });

    it('is short and needs no quoting', () => {
      fc.assert(
        fc.property(claims, fc.boolean(), (some, secure) => {
          expect(cookieValue(issued(affinity(), some, secure))).to.match(/^[A-Za-z0-9._-]{107,327}$/);
        }),
      );
    });

    it('reads as none when there is no cookie', () => {
      expect(affinity().read(undefined, true, startMs)).to.deep.equal({ kind: 'none' });
    });

    it('throws for an incarnation with too many bytes', () => {
      const issue = (incarnation: string) =>
        affinity().issue({ backendId: 'x', incarnation, issuedMs: 0, browser }, true, 0);
      expect(() => issue('é'.repeat(incarnationBytesMax / 2))).not.to.throw();
      expect(() => issue(`${'é'.repeat(incarnationBytesMax / 2)}a`)).to.throw(RangeError, '129 bytes; at most 128');
    });
  });

  describe('name and attributes', () => {
    const table: readonly (readonly [Partial<AffinityOptions>, secure: boolean, name: string, attributes: string])[] = [
      [{}, true, '__Host-holdfast', 'Path=/; HttpOnly; Secure; SameSite=Lax'],
      [{}, false, 'holdfast', 'Path=/; HttpOnly; SameSite=Lax'],
      [{ pool: '' }, true, '__Host-holdfast', 'Path=/; HttpOnly; Secure; SameSite=Lax'],
      [{ pool: 'shop' }, true, '__Host-holdfast-shop', 'Path=/; HttpOnly; Secure; SameSite=Lax'],
      [{ pool: 'shop' }, false, 'holdfast-shop', 'Path=/; HttpOnly; SameSite=Lax'],
      [{ sameSite: 'Strict' }, false, 'holdfast', 'Path=/; HttpOnly; SameSite=Strict'],
      [{ sameSite: 'None' }, true, '__Host-holdfast', 'Path=/; HttpOnly; Secure; SameSite=None'],
      [{ sameSite: 'None' }, false, 'holdfast', 'Path=/; HttpOnly; Secure; SameSite=None'],
    ];
    for (const [changes, secure, name, attributes] of table) {
      it(`${JSON.stringify(changes)} on ${secure ? 'TLS' : 'plain HTTP'}: ${name}; ${attributes}`, () => {
        const cookies = affinity(changes);
        const [pair = '', ...rest] = issued(cookies, {}, secure).split('; ');
        expect(cookies.nameFor(secure)).to.equal(name);
        expect(pair).to.match(new RegExp(`^${name}=[^=]+$`));
        expect(rest.join('; ')).to.equal(attributes);
      });
    }

    for (const pool of ['a b', 'a;b', 'a=b', 'é', 'a'.repeat(33)]) {
      it(`refuses the pool "${pool}"`, () => {
        expect(() => affinity({ pool })).to.throw(TypeError, 'cookie name');
      });
    }
  });

  describe('dates', () => {
    const idleMs = 30 * minuteMs;
    const table: readonly (readonly [what: string, issuedMs: number, seenMs: number, expected: string])[] = [
      ['just issued', 0, 0, 'bound'],
      ['idle for exactly the limit', -idleMs, -idleMs, 'bound'],
      ['idle for longer', -idleMs - 1, -idleMs - 1, 'expired'],
      ['bound for exactly the limit', -8 * hourMs, 0, 'bound'],
      ['bound for longer, however active', -8 * hourMs - 1, 0, 'expired'],
      ['from a clock that is a day ahead', 24 * hourMs, 24 * hourMs, 'bound'],
      ['seen on a clock further ahead', 0, 24 * hourMs + 1, 'expired'],
      ['issued on a clock further ahead', 24 * hourMs + 1, 0, 'expired'],
    ];
    for (const [what, issuedMs, seenMs, expected] of table) {
      it(`${what}: ${expected}, remembered or not`, () => {
        const cookies = affinity();
        const value = cookieValue(
          cookies.issue({ ...bindingOf(cookies), issuedMs: startMs + issuedMs }, true, startMs + seenMs),
        );
        for (const time of ['first', 'again']) {
          expect(outcomeOf(cookies.read(value, true, startMs)), time).to.equal(expected);
        }
      });
    }

    it('also expires a cached cookie, by the time that the caller gives', () => {
      const cookies = affinity();
      const value = cookieValue(issued(cookies));
      const outcomes = [0, idleMs + 1, 0].map(laterMs => outcomeOf(cookies.read(value, true, startMs + laterMs)));
      expect(outcomes).to.deep.equal(['bound', 'expired', 'bound']);
    });

    it('needs a refresh after a tenth of the idle time, not before', () => {
      const dueAfter = (ms: number) => affinity().needsRefresh({ seenMs: startMs }, startMs + ms);
      expect([dueAfter(-hourMs), dueAfter(0), dueAfter(3 * minuteMs)]).to.deep.equal([false, false, false]);
      expect([dueAfter(3 * minuteMs + 1), dueAfter(hourMs)]).to.deep.equal([true, true]);
    });
  });

  describe('a cookie that is not ours', () => {
    it('is forged after any change of one character, or unknown if the change is in the key id', () => {
      fc.assert(
        fc.property(claims, fc.nat(), cookieCharacter, fc.boolean(), (some, position, character, warm) => {
          const cookies = affinity();
          const value = cookieValue(issued(cookies, some));
          if (warm) cookies.read(value, true, startMs);
          const at = position % value.length;
          fc.pre(value[at] !== character);
          const inKeyId = at >= 2 && at < 2 + idOfNewest(ring).length && character !== '.';
          const changed = value.slice(0, at) + character + value.slice(at + 1);
          expect(outcomeOf(cookies.read(changed, true, startMs))).to.be.oneOf(
            inKeyId ? ['unknown', 'forged'] : ['forged'],
          );
        }),
        { numRuns: 1000 },
      );
    });

    it('is forged with another spelling of the same MAC bytes', () => {
      const cookies = affinity();
      const value = cookieValue(issued(cookies));
      const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
      const accepted = [...alphabet].filter(
        last => cookies.read(value.slice(0, -1) + last, true, startMs).kind === 'bound',
      );
      expect(accepted).to.deep.equal([value.at(-1)]);
    });

    it('is forged when cut short or made longer', () => {
      const value = cookieValue(issued(affinity()));
      for (let length = 0; length < value.length; length += 1) expectForged(value.slice(0, length));
      const more = fc.string({ unit: cookieCharacter, minLength: 1, maxLength: 300 });
      fc.assert(
        fc.property(more, text => {
          expectForged(value + text);
          expectForged(text + value);
        }),
      );
    });

    it('is forged when combined from the parts of two genuine cookies', () => {
      fc.assert(
        fc.property(claims, claims, fc.array(fc.boolean(), { minLength: 8, maxLength: 8 }), (one, other, fromOther) => {
          const cookies = affinity();
          const [a, b] = [cookieValue(issued(cookies, one)), cookieValue(issued(cookies, other))];
          const partsOfB = b.split('.');
          const mixed = a
            .split('.')
            .map((part, index) => (fromOther[index] === true ? partsOfB[index] : part))
            .join('.');
          fc.pre(mixed !== a && mixed !== b);
          for (const genuine of [a, b]) expect(cookies.read(genuine, true, startMs).kind).to.equal('bound');
          expectForged(mixed, cookies);
        }),
      );
    });

    it('is forged in another pool, and over TLS when made for plain HTTP', () => {
      const value = cookieValue(issued(affinity({ pool: 'a' })));
      expectForged(value, affinity({ pool: 'b' }));
      expectForged(value, affinity());
      expectForged(cookieValue(issued(affinity(), {}, false)));
    });

    it('is unknown in another ring, and forged in a ring with the same id for another secret', () => {
      const value = cookieValue(issued(affinity()));
      expect(outcomeOf(affinity({ keys: generateKeyRing() }).read(value, true, startMs))).to.equal('unknown');
      const [{ secret } = { secret: Buffer.alloc(32) }] = generateKeyRing();
      expectForged(value, affinity({ keys: [{ id: idOfNewest(ring), secret }] }));
    });

    it('is forged for any garbage', () => {
      fc.assert(fc.property(fc.string({ unit: 'binary', maxLength: 400 }), text => expectForged(text)));
      const genuine = cookieValue(issued(affinity()));
      const decorated = [
        `"${genuine}"`,
        ` ${genuine}`,
        `${genuine}\n`,
        genuine.replace('2.', '1.'),
        genuine.replace('2.', '02.'),
      ];
      for (const text of ['', '.', '......', '__proto__', ...decorated]) expectForged(text);
    });
  });

  describe('the id of a backend', () => {
    it('is the same on every proxy of the ring, different in each pool and ring, and has at least 128 bits', () => {
      const id = affinity().backendId('backend-1');
      expect(Buffer.from(id, 'base64url')).to.have.length(16);
      expect(affinity().backendId('backend-1')).to.equal(id);
      const others = [
        affinity().backendId('backend-2'),
        affinity({ pool: 'shop' }).backendId('backend-1'),
        affinity({ keys: generateKeyRing() }).backendId('backend-1'),
      ];
      expect(new Set([id, ...others]).size).to.equal(4);
    });

    it('reveals neither name nor address, nor a digest that needs no secret', () => {
      const names = ['backend-1', '10.0.0.17:3001', 'http://10.0.0.17:3001', 'http://10.0.0.17:3001/'];
      for (const name of names) {
        const value = cookieValue(issued(affinity(), { name, incarnation: '7f3a' }));
        const readable = [value, ...value.split('.').map(part => Buffer.from(part, 'base64url').toString('latin1'))];
        for (const text of readable)
          expect(text).not.to.include('backend').and.not.include('10.0.0').and.not.include('3001');
        expect(readable.join()).not.to.include(Buffer.from([10, 0, 0, 17]).toString('latin1'));
        for (const digest of publicDigests(name)) expect(value).not.to.include(digest);
      }
    });
  });

  describe('rotation of keys', () => {
    const [old = never(), young = never()] = [...ring, ...generateKeyRing()];
    const names = ['backend-1', 'backend-2'];
    const stages: readonly (readonly [what: string, keys: AffinityOptions['keys']])[] = [
      ['before', [old]],
      ['the new key last', [old, young]],
      ['the new key first', [young, old]],
    ];

    it('signs with the newest key and moves no browser between proxies at neighbouring stages', () => {
      const proxies = stages.map(([, keys]) => affinity({ keys }));
      for (const proxy of proxies) join(proxy, names);
      for (const [from, to] of [
        [0, 1],
        [1, 0],
        [1, 2],
        [2, 1],
        [0, 2],
      ] as const) {
        const value = cookieValue(issued(proxies[from] ?? never(), { name: 'backend-2' }));
        expect(value.split('.')[1]).to.equal(stages[from]?.[1][0]?.id);
        const reading = (proxies[to] ?? never()).read(value, true, startMs);
        expect(reading, `${from} to ${to}`).to.include({
          kind: 'bound',
          backendId: proxies[to]?.backendId('backend-2'),
        });
      }
    });

    it('reports cookies of a dropped key as unknown, and keeps those refreshed meanwhile', () => {
      const rotating = affinity({ keys: [young, old] });
      const rotated = affinity({ keys: [young] });
      for (const proxy of [rotating, rotated]) join(proxy, names);
      const before = cookieValue(issued(affinity({ keys: [old] }), { name: 'backend-2' }));
      const reading = rotating.read(before, true, startMs);
      if (reading.kind !== 'bound') throw new Error(`expected bound, got ${outcomeOf(reading)}`);
      const refreshed = cookieValue(rotating.issue(reading, true, startMs));
      expect(outcomeOf(rotated.read(before, true, startMs))).to.equal('unknown');
      expect(rotated.read(refreshed, true, startMs)).to.include({
        kind: 'bound',
        backendId: rotated.backendId('backend-2'),
      });
    });

    it('translates an old id even if the backend joins after its cookie was read, over TLS and plain HTTP', () => {
      for (const secure of [true, false]) {
        const value = cookieValue(issued(affinity({ keys: [old] }), { name: 'backend-9' }, secure));
        const cookies = affinity({ keys: [young, old] });
        cookies.read(value, secure, startMs);
        const backendId = cookies.backendId('backend-9');
        expect(cookies.read(value, secure, startMs)).to.include({ backendId });
      }
    });

    it('throws for an unusable ring', () => {
      expect(() => affinity({ keys: [] })).to.throw(KeyRingError);
      expect(() => affinity({ keys: [{ id: 'a', secret: Buffer.alloc(31) }] })).to.throw(KeyRingError);
    });
  });
});

interface Claims {
  readonly name: string;
  readonly incarnation: string;
  readonly ageMs: number;
}

const claims: fc.Arbitrary<Claims> = fc.record({
  name: fc.oneof(fc.constantFrom('backend-1', 'backend-2'), fc.string({ maxLength: 60 })),
  incarnation: fc.oneof(
    fc.stringMatching(/^[0-9a-f]{1,32}$/),
    fc.string({ unit: 'grapheme' }).filter(text => Buffer.byteLength(text) <= incarnationBytesMax),
  ),
  ageMs: fc.nat(8 * hourMs),
});
const cookieCharacter = fc.constantFrom(...'ABCXYZabcxyz0123456789-_.=+/ "%');

function affinity(changes: Partial<AffinityOptions> = {}): AffinityCookies {
  return new AffinityCookies({
    pool: 'default',
    keys: ring,
    idleMs: 30 * minuteMs,
    absoluteMs: 8 * hourMs,
    sameSite: 'Lax',
    onLost: 'rebind',
    ...changes,
  });
}

function bindingOf(cookies: AffinityCookies, { name = 'backend-1', incarnation = '7f3a' }: Partial<Claims> = {}) {
  return { backendId: cookies.backendId(name), incarnation, browser };
}

function issued(cookies: AffinityCookies, some: Partial<Claims> = {}, secure = true): string {
  return cookies.issue({ ...bindingOf(cookies, some), issuedMs: startMs - (some.ageMs ?? 0) }, secure, startMs);
}

function join(cookies: AffinityCookies, names: readonly string[]): void {
  for (const name of names) cookies.backendId(name);
}

function cookieValue(setCookie: string): string {
  return setCookie.slice(setCookie.indexOf('=') + 1, setCookie.indexOf(';'));
}

function outcomeOf(reading: AffinityReading): string {
  return reading.kind === 'bad' ? reading.reason : reading.kind;
}

function expectForged(value: string, cookies = affinity()): void {
  expect(outcomeOf(cookies.read(value, true, startMs)), value).to.equal('forged');
}

function idOfNewest(keys: AffinityOptions['keys']): string {
  return keys[0]?.id ?? never();
}

function publicDigests(text: string): string[] {
  const spellings = ['hex', 'base64url'] as const;
  return ['md5', 'sha1', 'sha256'].flatMap(kind =>
    spellings.map(spelling => createHash(kind).update(text).digest(spelling).slice(0, 16)),
  );
}

function never(): never {
  throw new Error('the table of this test has a hole');
}
