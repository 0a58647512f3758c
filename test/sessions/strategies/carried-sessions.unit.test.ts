import { expect } from 'chai';
import { StoreUnavailable } from '#src/sessions/errors.js';
import { type RevocationFeed, RevokedTokens } from '#src/sessions/revocation-feed.js';
import { defaultLimits, type Session, type SessionData } from '#src/sessions/session.js';
import type { SessionStore } from '#src/sessions/session-store.js';
import type { SessionStrategy, StrategyEntry } from '#src/sessions/session-strategy.js';
import { memory, RevocationList } from '#src/sessions/stores/memory.js';
import { jwt } from '#src/sessions/strategies/jwt.js';
import { sealed } from '#src/sessions/strategies/sealed.js';
import { generateKeyRing } from '#src/shared/key-ring.js';
import { expectRejection } from '../expect-rejection.js';
import { issued, living } from '../session-endings.contract.js';
import { type WatchedStore, watched } from '../watched-store.js';

const { idleMs } = defaultLimits;

/** Two backends that share a store and a list of revoked sessions. */
interface Lab {
  readonly one: SessionStrategy;
  readonly two: SessionStrategy;
  readonly store: WatchedStore;
  /** The clock of the first backend. The second one is ahead of it by `aheadMs`. */
  readonly clock: { nowMs: number; aheadMs: number };
  /** The age of the list that the second backend uses. */
  readonly feed: { ageMs: number };
  /** Exchanges the store for an empty one. */
  emptyStore(): void;
}

interface Options {
  readonly tokens?: RevokedTokens;
  readonly feedAgeMaxMs?: number;
}

/** Runs `work` for both strategies whose tokens carry the session. */
function forBoth(title: string, work: (lab: Lab, name: 'jwt' | 'sealed') => Promise<void>, options: Options = {}) {
  for (const [name, entry] of [
    ['jwt', jwt],
    ['sealed', sealed],
  ] as const) {
    it(`${name}: ${title}`, () => withLab(entry, options, lab => work(lab, name)));
  }
}

async function withLab(
  entry: StrategyEntry,
  { tokens, feedAgeMaxMs }: Options,
  work: (lab: Lab) => Promise<void>,
): Promise<void> {
  const clock = { nowMs: Date.now(), aheadMs: 0 };
  const feed = { ageMs: 0 };
  const now = () => clock.nowMs;
  const opened: SessionStore[] = [];
  const openEmpty = () => {
    const store = memory.open({ url: undefined, deadlineMs: 400, now });
    opened.push(store);
    return store;
  };
  let current = openEmpty();
  const store = watched(delegateTo(() => current));
  const list = new RevocationList(now, tokens);
  const aged = agedFeed(list, feed);
  const ring = generateKeyRing();
  const settings = { store, keys: () => ring, limits: defaultLimits, feedAgeMaxMs };
  const one = entry.open({ ...settings, feed: list, now });
  const two = entry.open({ ...settings, feed: aged, now: () => clock.nowMs + clock.aheadMs });
  const emptyStore = () => {
    current = openEmpty();
  };
  try {
    await work({ one, two, store, clock, feed, emptyStore });
  } finally {
    await Promise.all([one.close(), two.close(), ...opened.map(each => each.close())]);
  }
}

function delegateTo(current: () => SessionStore): SessionStore {
  return new Proxy(current(), { get: (_, name) => Reflect.get(current(), name).bind(current()) });
}

function agedFeed(list: RevocationFeed, feed: { readonly ageMs: number }): RevocationFeed {
  return new Proxy(list, {
    get: (_, name) => (name === 'ageMs' ? () => feed.ageMs : Reflect.get(list, name).bind(list)),
  });
}

const put = (item: string) => (data: SessionData) => void Object.assign(data, { item });

describe('sessions in tokens: ended whatever the store has lost', () => {
  forBoth('endAll ends a session that an empty store does not list', async ({ one, two, emptyStore }) => {
    const { token } = await one.begin('anna', {});
    emptyStore();
    living(await two.open(token));
    expect(await two.endAll('anna')).to.equal(0);
    for (const strategy of [one, two]) expect(await strategy.open(token)).to.equal('revoked');
  });

  forBoth('a login after the loss lives, also when it follows an end at once', async ({ one, two, emptyStore }) => {
    const old = await one.begin('anna', {});
    emptyStore();
    await one.endAll('anna');
    emptyStore();
    const { token } = await two.begin('anna', {});
    living(await one.open(token));
    expect(await one.open(old.token)).to.equal('revoked');
    await two.endAll('anna');
    expect(await one.open(token)).to.equal('revoked');
  });

  forBoth('endAll ends no session of another user', async ({ one }) => {
    const { token } = await one.begin('ben', {});
    await one.endAll('anna');
    living(await one.open(token));
  });

  forBoth('endEveryone ends a login of a backend with a fast clock, and none that follows', async lab => {
    const { one, two, clock } = lab;
    clock.aheadMs = 3_000;
    const { token } = await two.begin('anna', {});
    clock.nowMs += 50;
    await one.endEveryone();
    for (const strategy of [one, two]) expect(await strategy.open(token)).to.equal('revoked');
    const later = await one.begin('anna', {});
    for (const strategy of [one, two]) living(await strategy.open(later.token));
  });

  forBoth('endAll beside a rotation ends the successor', async ({ one, two, store }) => {
    for (const call of ['create', 'remove'] as const) {
      const { session } = await one.begin('anna', {});
      let isFirst = true;
      store.before(call, async () => {
        if (!isFirst) return;
        isFirst = false;
        await two.endAll('anna');
      });
      const rotated = await one.rotate(session);
      store.before(call, async () => undefined);
      if (rotated !== 'gone') expect(await one.open(rotated.token), call).to.equal('revoked');
      expect(await one.list('anna'), call).to.deep.equal([]);
    }
  });

  forBoth('a logout beside a rotation ends the successor', async ({ one, two, store }) => {
    const { session } = await one.begin('anna', {});
    store.before('remove', async () => {
      store.before('remove', async () => undefined);
      await two.end(session);
    });
    expect(await one.rotate(session)).to.equal('gone');
    expect(await one.list('anna')).to.deep.equal([]);
  });
});

describe('sessions in tokens: they go on when the store came back empty', () => {
  forBoth('a rotation lists the session anew', async ({ one, two, emptyStore, clock }) => {
    const { session, token } = await one.begin('anna', { item: 'tea' });
    emptyStore();
    const rotated = issued(await two.rotate(session));
    expect(await one.open(token)).to.equal('revoked');
    expect(await one.list('anna')).to.have.length(1);
    clock.nowMs += idleMs / 2;
    const later = living(await one.open(rotated.token));
    expect(later.record.data).to.deep.equal({ item: 'tea' });
    await two.endAll('anna');
    expect(await one.open(later.token)).to.equal('revoked');
  });

  forBoth('endOthers keeps this session, and ends one that no list has', async ({ one, two, emptyStore, clock }) => {
    const [mine, other] = [await one.begin('anna', {}), await one.begin('anna', {})];
    emptyStore();
    const outcome = await two.endOthers(mine.session);
    if (outcome === 'gone') return expect.fail('the session goes on');
    expect(outcome.ended).to.equal(0);
    for (const { token } of [mine, other]) expect(await one.open(token)).to.equal('revoked');
    clock.nowMs += idleMs / 2;
    living(await one.open(outcome.issued.token));
    expect(await one.list('anna')).to.have.length(1);
  });
});

describe('sessions in tokens: a full list of revocations', () => {
  const full = () => new RevokedTokens(2, 2);

  forBoth(
    'a logout is never refused: it ends all sessions of its user, and is counted',
    async ({ one, two }) => {
      for (let at = 0; at < 2; at++) await one.end((await one.begin('ben', {})).session);
      const [first, second, other] = [
        await one.begin('anna', {}),
        await one.begin('anna', {}),
        await one.begin('cara', {}),
      ];
      await two.end(first.session);
      for (const { token } of [first, second]) expect(await one.open(token)).to.equal('revoked');
      living(await one.open(other.token));
      expect(two.counts).to.include({ endedWithAll: 1 });
    },
    { tokens: full() },
  );

  forBoth(
    'a rotation keeps its own session',
    async ({ one }) => {
      for (let at = 0; at < 2; at++) await one.end((await one.begin('ben', {})).session);
      const { session, token } = await one.begin('anna', {});
      const rotated = issued(await one.rotate(session));
      expect(await one.open(token)).to.equal('revoked');
      living(await one.open(rotated.token));
    },
    { tokens: full() },
  );

  forBoth(
    'when even the users are too many, an end ends everyone',
    async ({ one }) => {
      for (const user of ['ben', 'ben', 'cara', 'dora']) await one.endAll(user);
      const { session } = await one.begin('anna', {});
      const { token } = await one.begin('emil', {});
      await one.endAll(session.record.user);
      expect(await one.open(token)).to.equal('revoked');
      living(await one.open((await one.begin('anna', {})).token));
    },
    { tokens: full() },
  );
});

describe('sessions in tokens: a backend that is cut off from the list of revoked sessions', () => {
  forBoth('goes on with the list that it knows, and counts each request', async ({ one, two, feed }) => {
    const { token } = await one.begin('anna', {});
    feed.ageMs = 1_000;
    living(await two.open(token));
    expect(two.counts).not.to.have.property('cutOff');
    feed.ageMs = 3_600_000;
    living(await two.open(token));
    expect(two.counts).to.include({ cutOff: 1 });
    expect(two.feedAgeMs?.()).to.equal(3_600_000);
  });

  forBoth(
    'rejects with StoreUnavailable after the stated time, if it has one',
    async ({ one, two, feed }) => {
      const { token } = await one.begin('anna', {});
      feed.ageMs = 5_000;
      living(await two.open(token));
      feed.ageMs = 5_001;
      await expectRejection(two.open(token), StoreUnavailable);
      feed.ageMs = 0;
      living(await two.open(token));
    },
    { feedAgeMaxMs: 5_000 },
  );

  it('states both in the capabilities', () => {
    for (const entry of [jwt, sealed]) {
      expect(entry.capabilities(memory.capabilities).revocationLagCutOffMs).to.equal(Number.POSITIVE_INFINITY);
      expect(entry.capabilities(memory.capabilities, 5_000).revocationLagCutOffMs).to.equal(5_000);
    }
  });
});

describe('sessions in tokens: a renewal beside a change', () => {
  /** The token that a browser has after two responses, in this order. */
  const lastSet = (one: SessionStrategy, ...sessions: readonly Session[]): string =>
    sessions.reduce((token, session) => one.confirmToken?.(session) ?? token, '');

  forBoth('a slow read on the same backend does not take the change back', async ({ one, clock }) => {
    const { token } = await one.begin('anna', {});
    clock.nowMs += idleMs / 2;
    const [reading, writing] = [living(await one.open(token)), living(await one.open(token))];
    expect(reading.token).not.to.equal(token);
    const changed = issued(await one.change(writing, put('tea')));
    const kept = living(await one.open(lastSet(one, changed.session, reading)));
    expect(kept.record.data).to.deep.equal({ item: 'tea' });
  });

  forBoth('a read that begins after the change does not take it back', async ({ one, clock }) => {
    const { token, session } = await one.begin('anna', {});
    clock.nowMs += idleMs / 2 - 1;
    const changed = issued(await one.change(session, put('tea')));
    clock.nowMs += 1;
    const reading = living(await one.open(token));
    const kept = living(await one.open(lastSet(one, changed.session, reading)));
    expect(kept.record.data).to.deep.equal({ item: 'tea' });
    expect(one.counts).to.include({ olderData: 1 });
  });

  it('jwt: a change that is answered after an exchange has the new refresh token', () =>
    withLab(jwt, {}, async ({ one, clock }) => {
      const { token, session } = await one.begin('anna', {});
      clock.nowMs += 5 * 60_000 - 1;
      const before = issued(await one.change(session, put('tea')));
      clock.nowMs += 1;
      const reading = living(await one.open(token));
      const after = issued(await one.change(session, put('milk')));
      expect(lastSet(one, reading, before.session).split('~')[1]).to.equal(reading.token.split('~')[1]);
      expect(after.token.split('~')[1]).to.equal(reading.token.split('~')[1]);
    }));

  forBoth('a slow response sets no token of a session that has rotated', async ({ one, clock }) => {
    const { token } = await one.begin('anna', {});
    clock.nowMs += idleMs / 2;
    const [reading, rotating] = [living(await one.open(token)), living(await one.open(token))];
    issued(await one.rotate(rotating));
    expect(one.confirmToken?.(reading)).to.equal(undefined);
  });

  forBoth('reads of sealed sessions renew in the second half of the idle time only', async ({ one, clock }, name) => {
    const { token } = await one.begin('anna', {});
    clock.nowMs += idleMs / 2 - 1;
    const early = living(await one.open(token));
    if (name === 'sealed') expect(early.token).to.equal(token);
    clock.nowMs += 1;
    expect(living(await one.open(token)).token).not.to.equal(token);
  });

  forBoth('another backend that knows nothing of the change takes it back, as declared; it is counted', async lab => {
    const { one, two, clock } = lab;
    const { token } = await one.begin('anna', {});
    clock.nowMs += idleMs / 2;
    const reading = living(await two.open(token));
    issued(await one.change(living(await one.open(token)), put('tea')));
    const taken = two.confirmToken?.(reading) ?? '';
    expect(living(await one.open(taken)).record.data).to.deep.equal({});
    expect(one.counts).to.include({ olderData: 1 });
  });
});
