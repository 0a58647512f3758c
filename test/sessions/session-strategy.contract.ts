import { expect } from 'chai';
import { SessionConflict, SessionTooLarge, StoreUnavailable } from '#src/sessions/errors.js';
import type { RevocationFeed } from '#src/sessions/revocation-feed.js';
import {
  defaultLimits,
  newSessionId,
  type Session,
  type SessionData,
  type SessionLimits,
} from '#src/sessions/session.js';
import type { StoreEntry } from '#src/sessions/session-store.js';
import type { Issued, SessionStrategy, StrategyEntry } from '#src/sessions/session-strategy.js';
import { generateKeyRing } from '#src/shared/key-ring.js';
import { expectRejection } from './expect-rejection.js';
import { bump, issued, living, type StrategyBench, sessionEndingsContract } from './session-endings.contract.js';
import { sessionTokensContract } from './session-tokens.contract.js';
import type { StoreLab } from './store-labs.js';
import { type WatchedStore, watched } from './watched-store.js';

const { idleMs, absoluteMs } = defaultLimits;
const touchEveryMs = idleMs / 10;

/**
 * The contract of `SessionStrategy`. It runs for every entry of the registry over every store that the entry can use.
 *
 * A token that carries the session may be replaced whenever it is opened. So every case continues with the newest
 * token, as a browser does. An entry declares what it cannot do; then the case proves that the declaration is right.
 */
export function sessionStrategyContract(
  entry: StrategyEntry,
  storeEntry: StoreEntry,
  startLab: () => Promise<StoreLab>,
): void {
  let lab: StoreLab;
  let store: WatchedStore;
  let feed: RevocationFeed | undefined;
  let strategy: SessionStrategy;
  let nowMs: number;
  const ring = generateKeyRing();
  const declared = entry.capabilities(storeEntry.capabilities);
  const isInStore = declared.dataIn === 'store';

  before(async () => {
    lab = await startLab();
  });
  after(() => lab.stop());
  beforeEach(async () => {
    nowMs = Date.now();
    store = watched(storeEntry.open({ url: lab.url, deadlineMs: 1_000, now: () => nowMs }));
    feed = entry.needsFeed ? storeEntry.openFeed?.({ url: lab.url, deadlineMs: 1_000, now: () => nowMs }) : undefined;
    strategy = open();
    expect(await store.ready(5_000)).to.equal(true);
    expect(await (feed?.ready(5_000) ?? true)).to.equal(true);
  });
  afterEach(() => strategy.close());

  function open(limits: Partial<SessionLimits> = {}, keys = ring): SessionStrategy {
    const given = { ...defaultLimits, ...limits };
    return entry.open({ store, feed, keys: () => keys, limits: given, now: () => nowMs });
  }

  async function reopened({ token }: Issued | Session): Promise<Session> {
    return living(await strategy.open(token));
  }

  /** A store forgets a session when it ends. A token can tell why it is no longer valid. */
  async function expectEnded(token: string): Promise<void> {
    const words = isInStore ? ['unknown'] : ['unknown', 'expired', 'revoked'];
    expect(await strategy.open(token)).to.be.oneOf(words);
  }

  const begun = (data: SessionData = { cart: [] }) => strategy.begin('anna', data);

  describe('open', () => {
    it('does not look up a malformed token', async () => {
      expect(await strategy.open(undefined)).to.equal('absent');
      for (const token of [
        '',
        'x',
        '../../etc/passwd',
        `${newSessionId('anna')}x`,
        `${newSessionId('anna').slice(0, -1)}é`,
      ]) {
        expect(await strategy.open(token), token).to.equal('malformed');
      }
      expect(store.calls).to.deep.equal([]);
    });

    it('never adopts an unknown token', async () => {
      const planted = newSessionId('anna');
      const said = isInStore ? 'unknown' : 'malformed';
      expect(await strategy.open(planted)).to.equal(said);
      const issued = await begun();
      expect(issued.token).not.to.equal(planted);
      expect(await strategy.open(planted)).to.equal(said);
    });

    it(
      isInStore ? 'declares that a token proves nothing without the store' : 'opens no token of other keys',
      async () => {
        const { token } = await open({}, generateKeyRing()).begin('anna', {});
        const found = await strategy.open(token);
        if (isInStore) living(found);
        else expect(found).to.equal('forged');
      },
    );

    it(`takes ${isInStore ? 'one store call' : 'no store call'} while no touch is due`, async () => {
      const { token } = await begun();
      store.calls.length = 0;
      await strategy.open(token);
      expect(store.calls).to.deep.equal(isInStore ? ['read'] : []);
    });

    it('rejects with StoreUnavailable, and never answers "no session" instead', async () => {
      const { token } = await begun();
      await strategy.close();
      await expectRejection(strategy.open(token), StoreUnavailable);
    });

    it(`${isInStore ? 'needs' : 'does not need'} the store, also for a change`, async () => {
      const made = await begun();
      for (const call of ['read', 'create', 'replace', 'touch', 'remove', 'listByUser'] as const) {
        store.before(call, () => Promise.reject(new StoreUnavailable('away')));
      }
      const edit = (data: SessionData) => void Object.assign(data, { cart: ['tea'] });
      if (isInStore) {
        await expectRejection(strategy.open(made.token), StoreUnavailable);
        await expectRejection(strategy.change(made.session, edit), StoreUnavailable);
      } else {
        const changed = issued(await strategy.change(await reopened(made), edit));
        expect((await reopened(changed)).record.data).to.deep.equal({ cart: ['tea'] });
      }
      await expectRejection(begun(), StoreUnavailable);
    });
  });

  describe('deadlines', () => {
    it('ends an idle session at the idle limit, not before', async () => {
      const [early, late] = [await begun(), await begun()];
      nowMs += idleMs - 1;
      const used = await reopened(early);
      nowMs += 1;
      await expectEnded(late.token);
      await reopened(used);
    });

    it('ends an active session at the absolute limit, however often it is used, changed or rotated', async () => {
      let { token } = await begun({ n: 0 });
      const untilMs = nowMs + absoluteMs;
      while (nowMs + idleMs / 2 < untilMs) {
        nowMs += idleMs / 2;
        const session = living(await strategy.open(token));
        const edit = (data: SessionData) => void Object.assign(data, { n: nowMs });
        const isEven = Math.round((untilMs - nowMs) / (idleMs / 2)) % 2 === 0;
        token = issued(await (isEven ? strategy.rotate(session) : strategy.change(session, edit))).token;
      }
      nowMs = untilMs - 1;
      const session = living(await strategy.open(token));
      expect(session.record.absoluteUntilMs).to.equal(untilMs);
      nowMs = untilMs;
      await expectEnded(session.token);
      await expectEnded(token);
    });

    /** Counts the touches of a session: by the store calls, or by the replacements of its token. */
    async function touchesWhile(used: SessionStrategy, first: string, next: () => boolean): Promise<number> {
      let [token, replaced] = [first, 0];
      store.calls.length = 0;
      while (next()) {
        const session = living(await used.open(token));
        expect(session.record.idleUntilMs).to.be.at.most(session.record.absoluteUntilMs);
        if (session.token !== token) replaced++;
        token = session.token;
      }
      return isInStore ? store.calls.filter(call => call === 'touch').length : replaced;
    }

    it('touches at most once per interval', async () => {
      const { token } = await begun();
      const startMs = nowMs;
      nowMs -= touchEveryMs / 10;
      const touches = await touchesWhile(strategy, token, () => {
        nowMs += touchEveryMs / 10;
        return nowMs <= startMs + 4 * touchEveryMs;
      });
      expect(touches).to.be.within(isInStore ? 4 : 0, 4);
    });

    for (const { limits, every, touches, what } of [
      { what: 'a short idle limit', limits: { idleMs: 10_000 }, every: 1_000, touches: 8 },
      { what: 'an idle limit of some minutes', limits: { idleMs: 200_000 }, every: 5_000, touches: 6 },
      {
        what: 'the last idle span before the absolute limit',
        limits: { absoluteMs: idleMs + 1 },
        every: 60_000,
        touches: 1,
      },
      { what: 'an idle limit beyond the absolute one', limits: { absoluteMs: idleMs / 2 }, every: 10_000, touches: 0 },
    ]) {
      it(`keeps an active session without needless touches: ${what}`, async () => {
        const own = open(limits);
        const { token, session } = await own.begin('anna', {});
        expect(session.record.idleUntilMs).to.be.at.most(session.record.absoluteUntilMs);
        let count = 0;
        const made = await touchesWhile(own, token, () => {
          nowMs += every;
          return count++ < 40 && nowMs < session.record.absoluteUntilMs;
        });
        if (isInStore) expect(made).to.equal(touches);
      });
    }

    it('opens a session of a backend whose clock is a minute ahead', async () => {
      const { token } = await begun({ cart: ['tea'] });
      nowMs -= 60_000;
      expect(living(await strategy.open(token)).record.data).to.deep.equal({ cart: ['tea'] });
    });

    it('does not shorten or extend a session when the clock jumps back', async () => {
      const { token, session } = await begun();
      const backMs = Math.min(declared.clockBackMs, 3_600_000);
      nowMs -= backMs;
      expect(living(await strategy.open(token)).record).to.deep.equal(session.record);
      nowMs -= 3_600_000;
      if (declared.clockBackMs < 3_600_000) expect(await strategy.open(token)).to.equal('forged');
      nowMs = session.record.idleUntilMs;
      await expectEnded(token);
    });

    if (!isInStore) return;

    it('opens no session that ended between the read and the touch', async () => {
      const { token } = await begun();
      nowMs += touchEveryMs;
      store.before('touch', inner => inner.remove(token));
      expect(await strategy.open(token)).to.equal('unknown');
    });

    it('opens the session when its touch is refused, and touches it later', async () => {
      const { token, session } = await begun();
      nowMs += touchEveryMs;
      store.before('touch', () => Promise.reject(new StoreUnavailable('no memory left')));
      expect(living(await strategy.open(token)).record).to.deep.equal(session.record);
      store.before('touch', async () => undefined);
      expect(living(await strategy.open(token)).record.idleUntilMs).to.equal(nowMs + idleMs);
    });

    it('rejects when the touch fails for another reason than an outage', async () => {
      const { token } = await begun();
      nowMs += touchEveryMs;
      store.before('touch', () => Promise.reject(new RangeError('a mistake')));
      await expectRejection(strategy.open(token), RangeError);
    });
  });

  describe('begin', () => {
    it('issues a fresh token each time', async () => {
      const tokens = await Promise.all(Array.from({ length: 20 }, () => begun().then(({ token }) => token)));
      expect(new Set(tokens)).to.have.length(20);
    });

    it('keeps a copy of the data', async () => {
      const data: SessionData = { cart: ['tea'] };
      const made = await begun(data);
      data.cart = 'spoiled';
      expect(made.session.record.data).to.deep.equal({ cart: ['tea'] });
      expect((await reopened(made)).record).to.deep.equal(made.session.record);
    });

    it('rejects a megabyte, and names the limit', async () => {
      const error = await expectRejection(begun({ blob: 'x'.repeat(1_000_000) }), SessionTooLarge);
      expect(error.message).to.match(/would hold 10000\d\d bytes; at most \d+ /);
      expect(store.calls).to.deep.equal([]);
    });
  });

  describe('change', () => {
    it('commits the edit', async () => {
      const { session } = await begun();
      const changed = issued(await strategy.change(session, data => void Object.assign(data, { cart: ['tea'] })));
      expect(changed.session.record.data).to.deep.equal({ cart: ['tea'] });
      expect((await reopened(changed)).record).to.deep.equal(changed.session.record);
      expect(session.record.data).to.deep.equal({ cart: [] });
    });

    it('writes nothing when the edit changed nothing', async () => {
      const { session } = await begun();
      store.calls.length = 0;
      const same = issued(await strategy.change(session, data => void Object.assign(data, { cart: [] })));
      expect(same.session.record).to.deep.equal(session.record);
      expect(same.token).to.equal(session.token);
      expect(store.calls).to.deep.equal([]);
    });

    it('writes nothing when the edit throws', async () => {
      const made = await begun();
      const broken = strategy.change(made.session, data => {
        data.cart = 'half done';
        throw new RangeError('no such tea');
      });
      await expectRejection(broken, RangeError);
      expect((await reopened(made)).record).to.deep.equal(made.session.record);
    });

    it(`accepts ${isInStore ? 'data of just the limit' : 'the declared size'}, and rejects more`, async () => {
      const { session } = await strategy.begin('u'.repeat(64), { cart: [] });
      const [fits, tooMuch] = isInStore
        ? [defaultLimits.dataBytesMax, defaultLimits.dataBytesMax + 1]
        : [declared.dataBytesMax, 4_096];
      const fill = (bytes: number) => (data: SessionData) =>
        void Object.assign(data, { cart: 'x'.repeat(bytes - '{"cart":""}'.length) });
      const full = issued(await strategy.change(session, fill(fits)));
      expect((await reopened(full)).record).to.deep.equal(full.session.record);
      if (!isInStore) expect(`__Host-session${full.token}`.length).to.be.at.most(4_096);
      await expectRejection(strategy.change(session, fill(tooMuch)), SessionTooLarge);
    });

    it('rejects a megabyte and keeps the old data', async () => {
      const made = await begun();
      const edit = (data: SessionData) => void Object.assign(data, { blob: 'x'.repeat(1_000_000) });
      await expectRejection(strategy.change(made.session, edit), SessionTooLarge);
      expect((await reopened(made)).record).to.deep.equal(made.session.record);
    });

    it('resolves with gone, and revives nothing, when the session ended meanwhile', async () => {
      const made = await begun();
      await strategy.end(made.session);
      expect(await strategy.change(made.session, data => void Object.assign(data, { late: true }))).to.equal('gone');
      await expectEnded(made.token);
    });

    it('resolves with gone past the deadline', async () => {
      const { session } = await begun();
      nowMs += idleMs;
      expect(await strategy.change(session, data => void Object.assign(data, { late: true }))).to.equal('gone');
    });
  });

  describe('concurrent edits', () => {
    if (!declared.compareAndSet) {
      it('declares that the last response wins: all edits are acknowledged, and only one is kept', async () => {
        const made = await begun({});
        const names = ['a', 'b', 'c', 'd', 'e'];
        const answers = await Promise.all(
          names.map(name => strategy.change(made.session, data => void Object.assign(data, { [name]: 1 }))),
        );
        for (const [at, name] of names.entries()) {
          const { record } = await reopened(issued(answers[at] ?? 'gone'));
          expect(record.data).to.deep.equal({ [name]: 1 });
        }
      });
      return;
    }

    it('retries on a conflict: none of five parallel edits is lost', async () => {
      const made = await begun({});
      const names = ['a', 'b', 'c', 'd', 'e'];
      const edits = names.map(name => strategy.change(made.session, data => void Object.assign(data, { [name]: 1 })));
      await Promise.all(edits);
      expect(Object.keys((await reopened(made)).record.data)).to.have.members(names);
    });

    it('keeps exactly the acknowledged ones of many parallel edits', async () => {
      const made = await begun({});
      const names = Array.from({ length: 30 }, (_, at) => `edit-${at}`);
      const edits = names.map(name => strategy.change(made.session, data => void Object.assign(data, { [name]: 1 })));
      const outcomes = await Promise.allSettled(edits);
      for (const outcome of outcomes) {
        if (outcome.status === 'rejected') expect(outcome.reason).to.be.instanceOf(SessionConflict);
      }
      const acknowledged = names.filter((_, at) => outcomes[at]?.status === 'fulfilled');
      expect(Object.keys((await reopened(made)).record.data)).to.have.members(acknowledged);
    });

    it('rejects with SessionConflict after five lost tries', async () => {
      const made = await begun({ n: 0 });
      store.before('replace', inner => bump(inner, made.token));
      const edit = (data: SessionData) => void Object.assign(data, { mine: true });
      await expectRejection(strategy.change(made.session, edit), SessionConflict);
      expect(store.calls.filter(call => call === 'replace')).to.have.length(5);
      expect((await reopened(made)).record.data).to.deep.equal({ n: 5 });
    });

    it('resolves with gone when the session ended between two tries', async () => {
      const made = await begun({ n: 0 });
      store.before('replace', inner => bump(inner, made.token));
      store.before('read', inner => inner.remove(made.token));
      expect(await strategy.change(made.session, data => void Object.assign(data, { late: true }))).to.equal('gone');
    });
  });

  const bench: StrategyBench = {
    declared,
    strategy: () => strategy,
    store: () => store,
    expectEnded,
    tick: () => void nowMs++,
  };
  sessionEndingsContract(bench);
  sessionTokensContract(bench);
}
