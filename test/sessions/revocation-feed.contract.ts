import { expect } from 'chai';
import { StoreUnavailable } from '#src/sessions/errors.js';
import { everyone, type RevocationFeed } from '#src/sessions/revocation-feed.js';
import { digestOf, handleOf, newSecret, userTagOf } from '#src/sessions/session.js';
import type { StoreEntry } from '#src/sessions/session-store.js';
import { expectRejection } from './expect-rejection.js';
import { revocable } from './revocable.js';
import type { StoreLab } from './store-labs.js';
import { until } from './until.js';
import { withRelay } from './with-relay.js';

const deadlineMs = 300;
/** The promise of every mode that depends on a feed: every process knows a revocation within this time. */
const lagMs = 1_000;
const lifeMs = 600_000;

const newHandle = () => handleOf(digestOf(newSecret()));

/** The contract of `RevocationFeed`. It runs for every store entry that offers a feed. */
export function revocationFeedContract(entry: StoreEntry, startLab: () => Promise<StoreLab>): void {
  let lab: StoreLab;
  let feed: RevocationFeed;
  let nowMs: number;
  const running: RevocationFeed[] = [];

  before(async () => {
    lab = await startLab();
  });
  after(() => lab.stop());
  beforeEach(async () => {
    nowMs = Date.now();
    feed = await opened();
  });
  afterEach(async () => {
    await Promise.all(running.splice(0).map(each => each.close()));
  });

  function start(url = lab.url): RevocationFeed {
    const another = entry.openFeed?.({ url, deadlineMs, now: () => nowMs });
    if (another === undefined) return expect.fail('the entry offers no feed');
    running.push(another);
    return another;
  }

  async function opened(url = lab.url): Promise<RevocationFeed> {
    const another = start(url);
    expect(await another.ready(5_000)).to.equal(true);
    return another;
  }

  const knows = (who: RevocationFeed, handle: string) => who.isRevoked(revocable(handle));

  /** Reports whether the feed refuses a token with this epoch of its user, or of everyone. */
  const refuses = (who: RevocationFeed, owner: string, epoch: number) =>
    owner === everyone
      ? who.isRevoked(revocable('0'.repeat(16), { everyone: epoch }))
      : who.isRevoked(revocable('0'.repeat(16), { user: epoch }, owner));

  it('knows its own revocations at once, and no others', async () => {
    const [one, two, other] = [newHandle(), newHandle(), newHandle()];
    await feed.revoke([one, two], nowMs + lifeMs);
    expect([one, two, other].map(handle => knows(feed, handle))).to.deep.equal([true, true, false]);
  });

  it('accepts a handle twice (the later end counts) and an empty list', async () => {
    const handle = newHandle();
    await feed.revoke([handle], nowMs + lifeMs);
    await feed.revoke([handle], nowMs + 1_000);
    await feed.revoke([], nowMs + lifeMs);
    nowMs += lifeMs - 1;
    expect(knows(feed, handle)).to.equal(true);
    nowMs += 1;
    expect(knows(feed, handle)).to.equal(false);
  });

  for (const [what, owner] of [
    ['a user', userTagOf('anna')],
    ['everyone', everyone],
  ] as const) {
    it(`an epoch of ${what} revokes each token with an older one, until it is forgotten`, async () => {
      await feed.tellEpoch(owner, nowMs, nowMs + lifeMs);
      await feed.tellEpoch(owner, nowMs - 1, nowMs + 1_000);
      expect([nowMs - 1, nowMs, nowMs + 1].map(epoch => refuses(feed, owner, epoch))).to.deep.equal([
        true,
        false,
        false,
      ]);
      const { user, everyone: all } = feed.findEpochs(owner);
      expect(owner === everyone ? all : user).to.equal(nowMs);
      nowMs += lifeMs - 1;
      expect(refuses(feed, owner, 1)).to.equal(true);
      nowMs += 1;
      expect(refuses(feed, owner, 1)).to.equal(false);
    });
  }

  it('an epoch of one user revokes no token of another user', async () => {
    await feed.tellEpoch(userTagOf('ben'), nowMs, nowMs + lifeMs);
    expect(refuses(feed, userTagOf('cara'), 1)).to.equal(false);
  });

  it('revokes thousands of handles in one call', async () => {
    const handles = Array.from({ length: 3_000 }, newHandle);
    await feed.revoke(handles, nowMs + lifeMs);
    expect(handles.every(handle => knows(feed, handle))).to.equal(true);
  });

  it('rejects every call after close, and accepts a second close', async () => {
    await feed.close();
    await feed.close();
    expect(() => knows(feed, newHandle())).to.throw(StoreUnavailable);
    await expectRejection(feed.revoke([newHandle()], nowMs + lifeMs), StoreUnavailable);
    await expectRejection(feed.tellEpoch(everyone, nowMs, nowMs + lifeMs), StoreUnavailable);
    await expectRejection(feed.catchUp(), StoreUnavailable);
    expect(await feed.ready(20)).to.equal(false);
  });

  if (entry.capabilities.durability === 'process') {
    it('declares that other processes do not see it', () => {
      expect(lab.server).to.equal(undefined);
    });
    return;
  }

  describe('between two processes', () => {
    it('is pushed: the other process knows long before a poll would', async () => {
      const other = await opened();
      const lags: number[] = [];
      for (let turn = 0; turn < 20; turn++) {
        const handle = newHandle();
        await feed.revoke([handle], nowMs + lifeMs);
        const startedAt = performance.now();
        await until(() => knows(other, handle));
        lags.push(performance.now() - startedAt);
      }
      const [, , , , , , , , , , median = lagMs] = lags.sort((a, b) => a - b);
      expect(Math.max(...lags)).to.be.lessThan(lagMs);
      expect(median).to.be.lessThan(100);
    });

    it('pushes epochs too, and gives them to a process that boots later', async () => {
      const other = await opened();
      for (const owner of [userTagOf('dora'), everyone]) {
        await feed.tellEpoch(owner, nowMs, nowMs + lifeMs);
        await until(() => refuses(other, owner, nowMs - 1));
        expect(refuses(other, owner, nowMs)).to.equal(false);
        expect(refuses(await opened(), owner, nowMs - 1)).to.equal(true);
      }
    });

    it('catchUp knows all that was acknowledged before', async () => {
      const other = await opened();
      for (let turn = 0; turn < 20; turn++) {
        const handle = newHandle();
        await feed.revoke([handle], nowMs + lifeMs);
        await other.catchUp();
        expect(knows(other, handle)).to.equal(true);
      }
    });

    it('is at most a second old while its server answers', async () => {
      await until(() => feed.ageMs() > 200);
      await until(() => feed.ageMs() < 200);
      expect(feed.ageMs()).to.be.lessThan(lagMs);
    });

    it('gives a process that boots later every live revocation, and no expired one', async () => {
      const [short, ...long] = Array.from({ length: 2_501 }, newHandle);
      await feed.revoke([short ?? ''], nowMs + 1_000);
      for (let at = 0; at < 2_500; at += 2) await feed.revoke(long.slice(at, at + 2), nowMs + lifeMs);
      nowMs += 1_000;
      const late = await opened();
      expect(long.filter(handle => !knows(late, handle))).to.deep.equal([]);
      nowMs -= 1_000;
      expect(knows(late, short ?? '')).to.equal(false);
    });

    it('reaches a process after its connection was cut', () =>
      withRelay(lab.feedPort ?? 0, async relay => {
        const far = await opened(`redis://127.0.0.1:${relay.port}`);
        const [before, meanwhile, after] = [newHandle(), newHandle(), newHandle()];
        await feed.revoke([before], nowMs + lifeMs);
        await until(() => knows(far, before));
        relay.loseAnswers();
        await feed.revoke([meanwhile], nowMs + lifeMs);
        expect(knows(far, before), 'the own copy stays in force').to.equal(true);
        relay.cut();
        await until(() => knows(far, meanwhile));
        await feed.revoke([after], nowMs + lifeMs);
        await until(() => knows(far, after));
      }));
  });

  describe('when its server fails', () => {
    async function expectNothingPromised(): Promise<void> {
      const startedAt = performance.now();
      const handle = newHandle();
      await expectRejection(feed.revoke([handle], nowMs + lifeMs), StoreUnavailable);
      await expectRejection(feed.tellEpoch(everyone, nowMs, nowMs + lifeMs), StoreUnavailable);
      expect(performance.now() - startedAt).to.be.lessThan(2 * deadlineMs + 600);
      expect(knows(feed, handle)).to.equal(false);
    }

    it('hangs: rejects new revocations, keeps known ones, and recovers', async () => {
      const other = await opened();
      const [before, after] = [newHandle(), newHandle()];
      await feed.revoke([before], nowMs + lifeMs);
      await until(() => knows(other, before));
      lab.server?.freeze();
      try {
        await expectRejection(feed.revoke([newHandle()], nowMs + lifeMs), StoreUnavailable);
        for (const each of [feed, other]) expect(knows(each, before)).to.equal(true);
        await until(() => [feed, other].every(each => each.ageMs() > lagMs));
      } finally {
        lab.server?.thaw();
      }
      await until(() => succeeds(feed.revoke([after], nowMs + lifeMs)));
      await until(() => knows(other, after) && other.ageMs() < lagMs);
    });

    it('comes back empty: keeps known revocations and gives them to a process that boots then', async () => {
      const other = await opened();
      const [before, after] = [newHandle(), newHandle()];
      const owner = [userTagOf('edda'), everyone];
      await feed.revoke([before], nowMs + lifeMs);
      for (const each of owner) await feed.tellEpoch(each, nowMs, nowMs + lifeMs);
      const knowsAll = (who: RevocationFeed) =>
        knows(who, before) && owner.every(each => refuses(who, each, nowMs - 1));
      await until(() => knowsAll(other));
      await lab.server?.kill();
      const early = start();
      try {
        await expectNothingPromised();
        for (const each of [feed, other]) expect(knows(each, before)).to.equal(true);
        expect(await early.ready(100)).to.equal(false);
        expect(() => knows(early, before)).to.throw(StoreUnavailable);
      } finally {
        await lab.server?.restart();
      }
      expect(await early.ready(5_000)).to.equal(true);
      await until(() => knowsAll(early));
      await until(() => succeeds(feed.revoke([after], nowMs + lifeMs)));
      for (const each of [early, other]) await until(() => knows(each, after));
      expect(owner.some(each => refuses(early, each, nowMs))).to.equal(false);
    });
  });
}

function succeeds(promise: Promise<unknown>): Promise<boolean> {
  return promise.then(
    () => true,
    () => false,
  );
}
