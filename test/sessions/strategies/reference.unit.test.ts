import { expect } from 'chai';
import { defaultLimits } from '#src/sessions/session.js';
import type { SessionStrategy } from '#src/sessions/session-strategy.js';
import { memory } from '#src/sessions/stores/memory.js';
import { reference } from '#src/sessions/strategies/reference.js';
import { generateKeyRing } from '#src/shared/key-ring.js';
import { type WatchedStore, watched } from '../watched-store.js';

describe('reference: all sessions of a user', () => {
  let store: WatchedStore;
  let strategy: SessionStrategy;

  beforeEach(() => {
    store = watched(memory.open({ url: undefined, deadlineMs: 100, now: Date.now }));
    const ring = generateKeyRing();
    strategy = reference.open({ store, feed: undefined, keys: () => ring, limits: defaultLimits, now: Date.now });
  });
  afterEach(() => strategy.close());

  const begun = () => strategy.begin('anna', {});

  it('end even if the list has lost them', async () => {
    const { token } = await begun();
    const blind: WatchedStore = { ...store, listByUser: async () => [] };
    const keys = () => generateKeyRing();
    const other = reference.open({ store: blind, feed: undefined, keys, limits: defaultLimits, now: Date.now });
    expect(await other.endAll('anna')).to.equal(0);
    expect(await strategy.open(token)).to.equal('unknown');
  });

  for (const call of ['read', 'create', 'remove'] as const) {
    it(`end while one of them rotates: before its ${call}`, async () => {
      const { session } = await begun();
      let isFirst = true;
      store.before(call, async inner => {
        if (isFirst) await inner.raiseEpoch('anna');
        isFirst = false;
      });
      expect(await strategy.rotate(session)).to.equal('gone');
      expect(await store.listByUser('anna')).to.deep.equal([]);
    });
  }

  it('except the present one: it goes on, even if it rotates meanwhile', async () => {
    const [mine, other] = [await begun(), await begun()];
    let isFirst = true;
    store.before('remove', async inner => {
      if (isFirst) await inner.raiseEpoch('anna', mine.token);
      isFirst = false;
    });
    const rotated = await strategy.rotate(mine.session);
    if (rotated === 'gone') throw new Error('it goes on');
    expect(await strategy.open(rotated.token)).not.to.be.a('string');
    for (const { token } of [mine, other]) expect(await strategy.open(token)).to.equal('unknown');
  });

  it('end after one of them has rotated', async () => {
    const { session } = await begun();
    const rotated = await strategy.rotate(session);
    if (rotated === 'gone') throw new Error('it goes on');
    expect(await strategy.endAll('anna')).to.equal(1);
    expect(await strategy.open(rotated.token)).to.equal('unknown');
  });

  it('except the present one: an ended session ends none', async () => {
    const [ended, other] = [await begun(), await begun()];
    await strategy.end(ended.session);
    expect(await strategy.endOthers(ended.session)).to.equal('gone');
    expect(await strategy.open(other.token)).not.to.be.a('string');
  });

  it('except the present one: its data, its token and a change in between are kept', async () => {
    const [mine, other] = [await begun(), await begun()];
    store.before('raiseEpoch', async inner => {
      const found = await inner.read(mine.token);
      if (found !== undefined) await inner.replace(mine.token, { ...found, data: { late: true }, version: 2 });
    });
    const outcome = await strategy.endOthers(mine.session);
    if (outcome === 'gone') throw new Error('it goes on');
    expect([outcome.ended, outcome.issued.token]).to.deep.equal([1, mine.token]);
    expect(outcome.issued.session.record.data).to.deep.equal({ late: true });
    expect(await strategy.open(other.token)).to.equal('unknown');
    expect(await strategy.open(mine.token)).to.deep.equal(outcome.issued.session);
  });
});
