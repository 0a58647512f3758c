import { expect } from 'chai';
import { strategies } from '#src/sessions/registry.js';
import { everyone, type RevocationFeed, RevokedTokens } from '#src/sessions/revocation-feed.js';
import { defaultLimits } from '#src/sessions/session.js';
import { memory, RevocationList } from '#src/sessions/stores/memory.js';
import { generateKeyRing } from '#src/shared/key-ring.js';
import { loaded } from './loaded.js';
import { issued, living } from './session-endings.contract.js';
import { watched } from './watched-store.js';

/** Longer than the life of an access token, and than the touch interval. */
const laterMs = 16 * 60_000;

const entries = Object.entries(await loaded(strategies));

describe('sessions: a backend that learns late of endEveryone', () => {
  const concerned = entries.filter(([, { needsFeed }]) => needsFeed);

  for (const [name, entry] of concerned) {
    for (const step of ['renews', 'rotates'] as const) {
      it(`${name}: ${step} a token meanwhile, which is revoked too`, async () => {
        let nowMs = Date.now();
        const now = () => nowMs;
        const store = watched(memory.open({ url: undefined, deadlineMs: 400, now }));
        const ring = generateKeyRing();
        const settings = { store, keys: () => ring, limits: defaultLimits, now };
        const learned = new RevokedTokens();
        const list = new RevocationList(now);
        const one = entry.open({ ...settings, feed: list });
        const two = entry.open({ ...settings, feed: lateFeed(learned, now) });
        const begun = await one.begin('anna', {});
        nowMs += laterMs;
        let token = '';
        store.before('clear', async () => {
          nowMs += 10;
          const session = living(await two.open(begun.token));
          token = step === 'renews' ? session.token : issued(await two.rotate(session)).token;
          living(await two.open(token));
        });
        await one.endEveryone();
        expect(token).not.to.equal(begun.token);
        learned.addEpoch(everyone, list.findEpochs('').everyone, nowMs + defaultLimits.absoluteMs);
        for (const strategy of [one, two]) expect(await strategy.open(token)).to.equal('revoked');
        living(await one.open((await one.begin('anna', {})).token));
        await Promise.all([one.close(), two.close()]);
      });
    }
  }
});

/** A feed that knows only `learned` and its own revocations. It shares nothing with other processes. */
function lateFeed(learned: RevokedTokens, now: () => number): RevocationFeed {
  return new RevocationList(now, learned);
}
