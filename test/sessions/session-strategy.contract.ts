import { expect } from 'chai';
import { generateKeyRing } from '#src/key-ring.js';
import { SessionConflict, SessionTooLarge, StoreUnavailable } from '#src/sessions/errors.js';
import {
  defaultLimits,
  type NoSession,
  type Session,
  type SessionData,
  type SessionLimits,
} from '#src/sessions/session.js';
import { newSessionId } from '#src/sessions/session-id.js';
import type { SessionStore, StoreEntry } from '#src/sessions/session-store.js';
import type { Issued, SessionStrategy, StrategyEntry } from '#src/sessions/session-strategy.js';
import { expectRejection } from './expect-rejection.js';
import type { StoreLab } from './store-labs.js';
import { type WatchedStore, watched } from './watched-store.js';

const { idleMs, absoluteMs } = defaultLimits;
const touchEveryMs = idleMs / 10;

/** The one contract of `SessionStrategy`; run for every entry of the registry over every store. */
export function sessionStrategyContract(
  entry: StrategyEntry,
  storeEntry: StoreEntry,
  startLab: () => Promise<StoreLab>,
): void {
  let lab: StoreLab;
  let store: WatchedStore;
  let strategy: SessionStrategy;
  let nowMs: number;
  const ring = generateKeyRing();

  before(async () => {
    lab = await startLab();
  });
  after(() => lab.stop());
  beforeEach(async () => {
    nowMs = Date.now();
    store = watched(storeEntry.open({ url: lab.url, deadlineMs: 1_000, now: () => nowMs }));
    strategy = open();
    expect(await store.ready(5_000)).to.equal(true);
  });
  afterEach(() => strategy.close());

  function open(limits: Partial<SessionLimits> = {}): SessionStrategy {
    const given = { ...defaultLimits, ...limits };
    return entry.open({ store, feed: undefined, keys: () => ring, limits: given, now: () => nowMs });
  }

  async function reopened({ token }: Issued | Session): Promise<Session> {
    return living(await strategy.open(token));
  }

  const begun = (data: SessionData = { cart: [] }) => strategy.begin('anna', data);

  describe('open', () => {
    it('asks no store about what cannot be a token', async () => {
      expect(await strategy.open(undefined)).to.equal('absent');
      for (const token of ['', 'x', '../../etc/passwd', `${newSessionId()}x`, `${newSessionId().slice(0, -1)}é`]) {
        expect(await strategy.open(token), token).to.equal('malformed');
      }
      expect(store.calls).to.deep.equal([]);
    });

    it('never adopts an unknown token', async () => {
      const planted = newSessionId();
      expect(await strategy.open(planted)).to.equal('unknown');
      const issued = await begun();
      expect(issued.token).not.to.equal(planted);
      expect(await strategy.open(planted)).to.equal('unknown');
    });

    it('takes one store call while no touch is due', async () => {
      const { token } = await begun();
      store.calls.length = 0;
      await strategy.open(token);
      expect(store.calls).to.deep.equal(['read']);
    });

    it('says that it could not ask, never that there is no session', async () => {
      const { token } = await begun();
      await strategy.close();
      await expectRejection(strategy.open(token), StoreUnavailable);
    });
  });

  describe('deadlines', () => {
    it('ends an idle session at its limit, not before', async () => {
      const [early, late] = [await begun(), await begun()];
      nowMs += idleMs - 1;
      await reopened(early);
      nowMs += 1;
      expect(await strategy.open(late.token)).to.equal('unknown');
      await reopened(early);
    });

    it('ends an active session at the absolute limit, however often it is used, changed or rotated', async () => {
      let { token } = await begun({ n: 0 });
      const untilMs = nowMs + absoluteMs;
      while (nowMs + idleMs / 2 < untilMs) {
        nowMs += idleMs / 2;
        const session = living(await strategy.open(token));
        if (nowMs % 2 === 0) token = issued(await strategy.rotate(session)).token;
        else await strategy.change(session, data => void Object.assign(data, { n: nowMs }));
      }
      nowMs = untilMs - 1;
      const session = living(await strategy.open(token));
      expect(session.record.absoluteUntilMs).to.equal(untilMs);
      nowMs = untilMs;
      expect(await strategy.open(token)).to.equal('unknown');
    });

    it('touches at most once per interval', async () => {
      const { token } = await begun();
      const startMs = nowMs;
      store.calls.length = 0;
      for (; nowMs <= startMs + 4 * touchEveryMs; nowMs += touchEveryMs / 10) await strategy.open(token);
      expect(store.calls.filter(call => call === 'touch')).to.have.length(4);
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
      it(`keeps an active session, with no touch too many: ${what}`, async () => {
        const own = open(limits);
        const { token, session } = await own.begin('anna', {});
        expect(session.record.idleUntilMs).to.be.at.most(session.record.absoluteUntilMs);
        store.calls.length = 0;
        for (let count = 0; count < 40 && nowMs + every < session.record.absoluteUntilMs; count++) {
          nowMs += every;
          const { record } = living(await own.open(token));
          expect(record.idleUntilMs).to.be.at.most(record.absoluteUntilMs);
        }
        expect(store.calls.filter(call => call === 'touch')).to.have.length(touches);
      });
    }

    it('takes nothing from a session when the clock goes back, nor gives it more than its limits from then on', async () => {
      const { token, session } = await begun();
      nowMs -= 3_600_000;
      expect(living(await strategy.open(token)).record).to.deep.equal(session.record);
      nowMs = session.record.idleUntilMs;
      expect(await strategy.open(token)).to.equal('unknown');
    });

    it('does not answer with a session that ended between the read and the touch', async () => {
      const { token } = await begun();
      nowMs += touchEveryMs;
      store.before('touch', inner => inner.remove(token));
      expect(await strategy.open(token)).to.equal('unknown');
    });
  });

  describe('a touch that the store refuses', () => {
    it('takes no session away that was read, and is made up for later', async () => {
      const { token, session } = await begun();
      nowMs += touchEveryMs;
      store.before('touch', () => Promise.reject(new StoreUnavailable('no memory left')));
      expect(living(await strategy.open(token)).record).to.deep.equal(session.record);
      store.before('touch', async () => undefined);
      expect(living(await strategy.open(token)).record.idleUntilMs).to.equal(nowMs + idleMs);
    });

    it('is an error all the same when it is none of the store being out', async () => {
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

    it('refuses a megabyte, and says how much is kept', async () => {
      const error = await expectRejection(begun({ blob: 'x'.repeat(1_000_000) }), SessionTooLarge);
      expect(error.message).to.match(/would hold 10000\d\d bytes; at most 65536/);
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

    it('keeps what just fits, and refuses one byte more', async () => {
      const { session } = await begun();
      const fill = (bytes: number) => (data: SessionData) =>
        void Object.assign(data, { cart: 'x'.repeat(bytes - '{"cart":""}'.length) });
      issued(await strategy.change(session, fill(defaultLimits.dataBytesMax)));
      await expectRejection(strategy.change(session, fill(defaultLimits.dataBytesMax + 1)), SessionTooLarge);
    });

    it('refuses a megabyte and keeps what was there', async () => {
      const made = await begun();
      const edit = (data: SessionData) => void Object.assign(data, { blob: 'x'.repeat(1_000_000) });
      await expectRejection(strategy.change(made.session, edit), SessionTooLarge);
      expect((await reopened(made)).record).to.deep.equal(made.session.record);
    });

    it('applies the edit again over what others wrote: none of five parallel edits is lost', async () => {
      const made = await begun({});
      const names = ['a', 'b', 'c', 'd', 'e'];
      const edits = names.map(name => strategy.change(made.session, data => void Object.assign(data, { [name]: 1 })));
      await Promise.all(edits);
      expect(Object.keys((await reopened(made)).record.data)).to.have.members(names);
    });

    it('of many parallel edits loses none that it acknowledged, and acknowledges none that it lost', async () => {
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

    it('gives up after five tries that others won', async () => {
      const made = await begun({ n: 0 });
      store.before('replace', inner => bump(inner, made.token));
      const edit = (data: SessionData) => void Object.assign(data, { mine: true });
      await expectRejection(strategy.change(made.session, edit), SessionConflict);
      expect(store.calls.filter(call => call === 'replace')).to.have.length(5);
      expect((await reopened(made)).record.data).to.deep.equal({ n: 5 });
    });

    it('is gone, and revives nothing, when the session ended meanwhile', async () => {
      const made = await begun();
      await strategy.end(made.session);
      expect(await strategy.change(made.session, data => void Object.assign(data, { late: true }))).to.equal('gone');
      expect(await strategy.open(made.token)).to.equal('unknown');
    });

    it('is gone when the session ended between two tries', async () => {
      const made = await begun({ n: 0 });
      store.before('replace', inner => bump(inner, made.token));
      store.before('read', inner => inner.remove(made.token));
      expect(await strategy.change(made.session, data => void Object.assign(data, { late: true }))).to.equal('gone');
    });
  });

  describe('rotate', () => {
    it('gives the same session a new token and kills the old one', async () => {
      const made = await begun({ cart: ['tea'] });
      const rotated = issued(await strategy.rotate(made.session));
      expect(rotated.token).not.to.equal(made.token);
      expect(await strategy.open(made.token)).to.equal('unknown');
      expect((await reopened(rotated)).record).to.deep.equal(made.session.record);
    });

    it('takes a change with it that came in between', async () => {
      const made = await begun({ n: 0 });
      let isFirst = true;
      store.before('remove', async inner => {
        if (isFirst) await bump(inner, made.token);
        isFirst = false;
      });
      const rotated = issued(await strategy.rotate(made.session));
      expect((await reopened(rotated)).record.data).to.deep.equal({ n: 1 });
      expect(await store.listByUser('anna')).to.satisfy((list: readonly unknown[]) => list.length >= 1);
    });

    it('revives nothing when the session ended before or in between', async () => {
      const [ended, ending] = [await strategy.begin('ben', {}), await strategy.begin('ben', {})];
      await strategy.end(ended.session);
      expect(await strategy.rotate(ended.session)).to.equal('gone');
      store.before('create', inner => inner.remove(ending.token));
      expect(await strategy.rotate(ending.session)).to.equal('gone');
      expect(await store.listByUser('ben')).to.deep.equal([]);
    });
  });

  describe('the sessions of a user', () => {
    it('are listed under the handle of each, and the present one can be told', async () => {
      const [one, two] = [await strategy.begin('cara', {}), await strategy.begin('cara', {})];
      const handles = (await strategy.list('cara')).map(({ handle }) => handle);
      expect(handles).to.have.members([one, two].map(({ session }) => strategy.handleOf(session)));
    });

    it('are ended one by one, and only by their own user', async () => {
      const [mine, other] = [await strategy.begin('cara', {}), await strategy.begin('dora', {})];
      expect(await strategy.endOne('cara', strategy.handleOf(other.session))).to.equal(false);
      await reopened(other);
      expect(await strategy.endOne('cara', strategy.handleOf(mine.session))).to.equal(true);
      expect(await strategy.open(mine.token)).to.be.oneOf(['unknown', 'revoked']);
      expect(await strategy.endOne('cara', strategy.handleOf(mine.session))).to.equal(false);
    });

    it('are ended all but one, and all', async () => {
      const sessions = await Promise.all(Array.from({ length: 5 }, () => strategy.begin('edda', {})));
      const [kept, ...ended] = sessions;
      if (kept === undefined) throw new Error('five were begun');
      expect(await strategy.endAll('edda', strategy.handleOf(kept.session))).to.equal(4);
      await reopened(kept);
      for (const { token } of ended) expect(await strategy.open(token)).to.be.oneOf(['unknown', 'revoked']);
      expect(await strategy.endAll('edda')).to.equal(1);
      expect(await strategy.list('edda')).to.deep.equal([]);
    });

    it('are all ended when everyone is', async () => {
      const [one, two] = [await strategy.begin('cara', {}), await strategy.begin('fred', {})];
      await strategy.endEveryone();
      for (const { token } of [one, two]) expect(await strategy.open(token)).to.be.oneOf(['unknown', 'revoked']);
      nowMs += 1;
      await reopened(await strategy.begin('cara', {}));
    });
  });

  it('ends a session once and for all, and twice is no error', async () => {
    const made = await begun();
    await strategy.end(made.session);
    await strategy.end(made.session);
    expect(await strategy.open(made.token)).to.equal('unknown');
  });
}

function living(found: Session | NoSession): Session {
  return typeof found === 'string' ? expect.fail(`expected a session, got "${found}"`) : found;
}

function issued(outcome: Issued | 'gone'): Issued {
  return outcome === 'gone' ? expect.fail('expected a session, got "gone"') : outcome;
}

/** Another client's change: one more in `n`. */
async function bump(store: SessionStore, id: string): Promise<void> {
  const found = await store.read(id);
  if (found === undefined) throw new Error('the session is gone');
  await store.replace(id, { ...found, data: { n: Number(found.data.n) + 1 }, version: found.version + 1 });
}
