import { expect } from 'chai';
import { SessionTooLarge, StoreUnavailable } from '#src/sessions/errors.js';
import { stores } from '#src/sessions/registry.js';
import { defaultLimits, type NoSession, type Session } from '#src/sessions/session.js';
import type { SessionStore } from '#src/sessions/session-store.js';
import type { Issued, SessionStrategy } from '#src/sessions/session-strategy.js';
import { jwt } from '#src/sessions/strategies/jwt.js';
import { generateKeyRing, type KeyRing } from '#src/shared/key-ring.js';
import { expectRejection } from '../expect-rejection.js';
import { loaded } from '../loaded.js';
import { type StoreLab, storeLabs } from '../store-labs.js';
import { type WatchedStore, watched } from '../watched-store.js';
import { decoded } from './jwt-forgery.js';

const entries = await loaded(stores);
const { idleMs, absoluteMs } = defaultLimits;
const lifeMs = 5 * 60_000;
const graceMs = 10_000;

interface Backend {
  readonly store: WatchedStore;
  readonly strategy: SessionStrategy;
}

for (const name of ['memory', 'redis'] as const) {
  describe(`jwt: refresh on ${name}`, () => {
    let lab: StoreLab;
    let nowMs: number;
    let ring: KeyRing;
    let one: Backend;
    let two: Backend;

    before(async () => {
      lab = (await storeLabs[name]?.()) ?? expect.fail(`no lab for ${name}`);
    });
    after(() => lab.stop());
    beforeEach(async () => {
      nowMs = Date.now();
      ring = generateKeyRing();
      const first = opened();
      one = backend(first);
      two = backend(lab.url === undefined ? first : opened());
      for (const { store } of [one, two]) expect(await store.ready(5_000)).to.equal(true);
    });
    afterEach(() => Promise.all([one.strategy.close(), two.strategy.close()]));

    function opened(): SessionStore {
      const store = entries[name]?.open({ url: lab.url, deadlineMs: 400, now: () => nowMs });
      return store ?? expect.fail(`no store ${name}`);
    }

    /** Without a feed, so that these tests see only the work of the refresh tokens. */
    function backend(inner: SessionStore, limits = defaultLimits): Backend {
      const store = watched(inner);
      return {
        store,
        strategy: jwt.open({ store, feed: undefined, keys: () => ring, limits, now: () => nowMs }),
      };
    }

    async function cookieFrom({ strategy }: Backend, cookie: string): Promise<string> {
      return living(await strategy.open(cookie)).token;
    }

    it('uses no store while the access token is valid', async () => {
      const { token } = await one.strategy.begin('anna', { cart: ['tea'] });
      nowMs += lifeMs - 1;
      const session = living(await two.strategy.open(token));
      expect(session.token).to.equal(token);
      expect(session.record.data).to.deep.equal({ cart: ['tea'] });
      expect(two.store.calls).to.deep.equal([]);
    });

    it('renews an expired token: same session and data, new idle deadline, old absolute deadline', async () => {
      const begun = await one.strategy.begin('zoe', { cart: ['tea'] });
      nowMs += lifeMs;
      const session = living(await two.strategy.open(begun.token));
      expect(halves(session.token)[0]).not.to.equal(halves(begun.token)[0]);
      expect(halves(session.token)[1]).not.to.equal(halves(begun.token)[1]);
      const { record } = begun.session;
      expect(session.record).to.deep.equal({ ...record, idleUntilMs: nowMs + idleMs });
      expect(two.strategy.handleOf(session)).to.equal(one.strategy.handleOf(begun.session));
      const listed = await one.strategy.list('zoe');
      expect(listed.map(({ idleUntilMs }) => idleUntilMs)).to.deep.equal([nowMs + idleMs]);
      two.store.calls.length = 0;
      expect(await cookieFrom(two, session.token)).to.equal(session.token);
      expect(two.store.calls).to.deep.equal([]);
    });

    it('gives twenty parallel requests on two backends the same successor', async () => {
      const { token } = await one.strategy.begin('ben', {});
      nowMs += lifeMs;
      const backends = Array.from({ length: 20 }, (_, at) => (at % 2 === 0 ? one : two));
      const cookies = await Promise.all(backends.map(each => cookieFrom(each, token)));
      expect(new Set(cookies.map(cookie => halves(cookie)[1])).size).to.equal(1);
      expect(new Set(cookies.map(cookie => decoded(cookie).jti)).size).to.equal(20);
      nowMs += lifeMs;
      const next = await Promise.all(cookies.map((cookie, at) => cookieFrom(at % 2 === 0 ? one : two, cookie)));
      expect(new Set(next.map(cookie => halves(cookie)[1])).size).to.equal(1);
    });

    it('gives a retry within ten seconds the same successor, and later none', async () => {
      const { token } = await one.strategy.begin('cem', {});
      nowMs += lifeMs;
      const [, successor] = halves(await cookieFrom(one, token));
      nowMs += graceMs - 1;
      expect(halves(await cookieFrom(two, token))[1]).to.equal(successor);
      nowMs += 1;
      expect(await two.strategy.open(token)).to.equal('revoked');
    });

    for (const [what, thiefFirst] of [
      ['after its owner', false],
      ['before its owner', true],
    ] as const) {
      it(`ends the family when a stolen pair is used ${what}`, async () => {
        const { token } = await one.strategy.begin('dora', {});
        nowMs += lifeMs;
        const fresh = await cookieFrom(thiefFirst ? two : one, token);
        nowMs += lifeMs / 2;
        expect(await (thiefFirst ? one : two).strategy.open(token)).to.equal('revoked');
        expect(await one.strategy.list('dora')).to.deep.equal([]);
        nowMs += lifeMs / 2;
        for (const { strategy } of [one, two]) expect(await strategy.open(fresh)).to.equal('unknown');
      });
    }

    it('detects a token that was retired two exchanges ago, even after its idle limit', async () => {
      const { token } = await one.strategy.begin('emil', {});
      let fresh = token;
      for (let at = 0; at < 8; at++) {
        nowMs += lifeMs;
        fresh = await cookieFrom(one, fresh);
      }
      expect(await two.strategy.open(token)).to.equal('revoked');
      nowMs += lifeMs;
      expect(await one.strategy.open(fresh)).to.equal('unknown');
    });

    it('stores nothing that opens a session', async () => {
      const begun = await one.strategy.begin('finn', { cart: ['tea'] });
      nowMs += lifeMs;
      const fresh = await cookieFrom(one, begun.token);
      const record = await one.store.read(String(decoded(fresh).sid));
      const kept = JSON.stringify(record);
      for (const cookie of [begun.token, fresh]) {
        for (const half of halves(cookie)) expect(kept).not.to.contain(half);
      }
      expect(kept).not.to.contain('tea');
      expect(Object.keys(record?.data ?? {})).to.have.members(['current', 'previous', 'rotatedAtMs', 'successor']);
    });

    it('keeps an active session exactly to the absolute limit', async () => {
      let { token } = await one.strategy.begin('gus', {});
      const untilMs = nowMs + absoluteMs;
      for (; nowMs < untilMs; nowMs += idleMs / 2) token = await cookieFrom(nowMs % 2 === 0 ? one : two, token);
      nowMs = untilMs - 1;
      token = await cookieFrom(one, token);
      expect(Number(decoded(token).exp) * 1000).to.equal(untilMs);
      nowMs = untilMs;
      expect(await one.strategy.open(token)).to.equal('expired');
    });

    it('ends an idle session at its limit', async () => {
      const [early, late] = [await one.strategy.begin('hal', {}), await one.strategy.begin('hal', {})];
      nowMs += idleMs - 1;
      await cookieFrom(one, early.token);
      nowMs += 1;
      expect(await one.strategy.open(late.token)).to.equal('expired');
    });

    it('moves a short idle limit too, so that active users stay logged in', async () => {
      const limits = { ...defaultLimits, idleMs: 3_000 };
      const quick = backend(one.store, limits);
      let { token } = await quick.strategy.begin('ida', {});
      for (let at = 0; at < 20; at++, nowMs += 900) token = await cookieFrom(quick, token);
      expect(Number(decoded(token).exp) - Number(decoded(token).iat)).to.equal(1);
      nowMs += 3_000;
      expect(await quick.strategy.open(token)).to.equal('expired');
    });

    it('keeps a session ended that ends during the exchange', async () => {
      for (const call of ['read', 'touch', 'replace'] as const) {
        const { token, session } = await one.strategy.begin('jan', {});
        nowMs += lifeMs;
        two.store.before(call, () => one.strategy.end(session));
        expect(await two.strategy.open(token), call).to.equal('unknown');
        two.store.before(call, async () => undefined);
        expect(await two.strategy.open(token), call).to.equal('unknown');
      }
    });

    it('uses the refresh token on a backend whose clock is behind, and logs no user out', async () => {
      const { token } = await one.strategy.begin('kim', {});
      nowMs -= 5_000;
      expect(await cookieFrom(one, token)).to.equal(token);
      nowMs -= 1;
      const behind = await cookieFrom(one, token);
      expect(decoded(behind).iat).to.equal(nowMs / 1000);
    });

    it('accepts only the two matching halves of a cookie', async () => {
      const [mine, other] = [await one.strategy.begin('lea', {}), await one.strategy.begin('lea', {})];
      const [access] = halves(mine.token);
      const [, refresh] = halves(other.token);
      for (const late of [0, lifeMs]) {
        nowMs += late;
        expect(await one.strategy.open(`${access}~${refresh}`)).to.equal('forged');
        for (const token of [access, `${access}~`, `~${refresh}`, refresh, `${mine.token}~`, `${mine.token}~x`]) {
          expect(await one.strategy.open(token), token).to.equal('malformed');
        }
      }
      await cookieFrom(one, mine.token);
      await cookieFrom(one, other.token);
    });

    it('refuses a cookie with a changed character or length, and keeps the genuine session', async () => {
      const { token } = await one.strategy.begin('mia', {});
      for (let at = 0; at < token.length; at++) {
        const changed = token.slice(0, at) + (token[at] === 'A' ? 'B' : 'A') + token.slice(at + 1);
        for (const bad of [changed, token.slice(0, at)]) {
          expect(await one.strategy.open(bad), `character ${at}`).to.be.oneOf(['forged', 'malformed']);
        }
      }
      for (const more of ['A', '=', '.', '~', ' ']) {
        expect(await one.strategy.open(token + more)).to.be.oneOf(['forged', 'malformed']);
      }
      nowMs += lifeMs;
      await cookieFrom(one, token);
    });

    it('an edit makes a new token with the same life and time of issue', async () => {
      const { session, token } = await one.strategy.begin('nia', {});
      nowMs += 60_000;
      const changed = issued(await one.strategy.change(session, data => void Object.assign(data, { cart: ['tea'] })));
      const [before, after] = [decoded(token), decoded(changed.token)];
      expect(after).to.include({ iat: before.iat, exp: before.exp, sid: before.sid });
      expect(after.jti).not.to.equal(before.jti);
      nowMs += lifeMs;
      expect(living(await two.strategy.open(changed.token)).record.data).to.deep.equal({ cart: ['tea'] });
    });

    it('rejects data over the limit by name, and stores nothing of it', async () => {
      const cart = Array.from({ length: 200 }, (_, at) => [`sku-${at}`, 1]);
      const error = await expectRejection(one.strategy.begin('ole', { roles: ['buyer'], cart }), SessionTooLarge);
      expect(error.message).to.match(/would hold 2\d\d\d bytes; at most 1024 are kept, and "cart" alone takes 2\d\d\d/);
      await expectRejection(one.strategy.begin('x'.repeat(2_000), {}), SessionTooLarge);
      expect(one.store.calls).to.deep.equal([]);
    });

    it('treats a foreign record under the id as no family', async () => {
      const { token, session } = await one.strategy.begin('pia', {});
      const sid = String(decoded(token).sid);
      const record = (await one.store.read(sid)) ?? expect.fail('no record');
      await one.store.replace(sid, { ...record, data: { current: 7 }, version: record.version + 1 });
      nowMs += lifeMs;
      expect(await one.strategy.open(token)).to.equal('unknown');
      await one.strategy.end(session);
    });

    if (name === 'memory') return;

    it('returns 503 while the store hangs, and accepts an expired token within the clock tolerance', async () => {
      const { token } = await one.strategy.begin('quinn', { cart: ['tea'] });
      lab.server?.freeze();
      try {
        nowMs += lifeMs + 4_999;
        expect(living(await one.strategy.open(token)).record.data).to.deep.equal({ cart: ['tea'] });
        nowMs += 1;
        await expectRejection(one.strategy.open(token), StoreUnavailable);
        await expectRejection(one.strategy.begin('quinn', {}), StoreUnavailable);
      } finally {
        lab.server?.thaw();
      }
      expect(await one.store.ready(5_000)).to.equal(true);
      expect(living(await one.strategy.open(token)).record.data).to.deep.equal({ cart: ['tea'] });
    });
  });
}

function halves(cookie: string): readonly [access: string, refresh: string] {
  const [access = '', refresh = ''] = cookie.split('~');
  return [access, refresh];
}

function living(found: Session | NoSession): Session {
  return typeof found === 'string' ? expect.fail(`expected a session, got "${found}"`) : found;
}

function issued(outcome: Issued | 'gone'): Issued {
  return outcome === 'gone' ? expect.fail('expected a session, got "gone"') : outcome;
}
