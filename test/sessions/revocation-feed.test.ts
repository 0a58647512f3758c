import { expect } from 'chai';
import { stores } from '#src/sessions/registry.js';
import { everyone, RevokedTokens } from '#src/sessions/revocation-feed.js';
import { loaded } from './loaded.js';
import { revocable } from './revocable.js';
import { revocationFeedContract } from './revocation-feed.contract.js';
import { storeLabs } from './store-labs.js';

const entries = Object.entries(await loaded(stores));

describe('revocation feeds', () => {
  for (const [name, entry] of entries) {
    const startLab = storeLabs[name];
    if (entry.openFeed !== undefined && startLab !== undefined) {
      describe(name, () => revocationFeedContract(entry, startLab));
    }
  }
});

describe('RevokedTokens', () => {
  const minuteMs = 60_000;

  it('forgets a revocation after it expired, not before', () => {
    const tokens = new RevokedTokens();
    for (let at = 0; at < 1_000; at++) tokens.add([`handle-${at}`], at * 600);
    for (const nowMs of [0, 1, minuteMs, 3 * minuteMs + 1, 7 * minuteMs]) {
      tokens.sweep(nowMs);
      const inForce = Array.from({ length: 1_000 }, (_, at) => at).filter(at =>
        tokens.has(revocable(`handle-${at}`), nowMs),
      );
      expect(inForce).to.have.length(1_000 - Math.floor(nowMs / 600) - 1);
      expect(tokens.size).to.be.within(inForce.length, inForce.length + 101);
    }
    tokens.sweep(11 * minuteMs);
    expect(tokens.size).to.equal(0);
  });

  it('keeps the longest revocation of a session', () => {
    const tokens = new RevokedTokens();
    tokens.add(['a'], 5 * minuteMs);
    tokens.add(['a'], minuteMs);
    tokens.add(['b'], minuteMs);
    tokens.add(['b'], 5 * minuteMs);
    tokens.sweep(2 * minuteMs);
    expect(['a', 'b'].map(handle => tokens.has(revocable(handle), 2 * minuteMs))).to.deep.equal([true, true]);
    tokens.sweep(5 * minuteMs);
    expect(tokens.size).to.equal(0);
  });

  it('has a maximum number of handles', () => {
    const tokens = new RevokedTokens(1_000);
    tokens.add(
      Array.from({ length: 999 }, (_, at) => `handle-${at}`),
      minuteMs,
    );
    expect([1, 2].map(count => tokens.hasRoomFor(count))).to.deep.equal([true, false]);
    tokens.sweep(minuteMs);
    expect(tokens.hasRoomFor(1_000)).to.equal(true);
  });

  it('has a maximum number of users, and forgets expired epochs', () => {
    const tokens = new RevokedTokens(1, 3);
    tokens.addEpoch(everyone, 7, minuteMs);
    for (const tag of ['a', 'b']) tokens.addEpoch(tag, 7, 2 * minuteMs);
    tokens.addEpoch('a', 9, 3 * minuteMs);
    expect(['a', 'b', 'c'].map(tag => tokens.hasRoomForUser(tag))).to.deep.equal([true, true, false]);
    tokens.sweep(minuteMs);
    expect(tokens.hasRoomForUser('c')).to.equal(true);
    expect(tokens.findEpochs('a', minuteMs)).to.deep.equal({ user: 9, everyone: 0 });
    tokens.sweep(3 * minuteMs);
    expect(tokens.size).to.equal(0);
  });
});
