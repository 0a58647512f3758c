import { expect } from 'chai';
import type { Handler } from '#src/sessions/request-session.js';
import { defaultLimits } from '#src/sessions/session.js';
import { serveSessions } from '#src/sessions/sessions.js';
import { memory, RevocationList } from '#src/sessions/stores/memory.js';
import { jwt } from '#src/sessions/strategies/jwt.js';
import { sealed } from '#src/sessions/strategies/sealed.js';
import { generateKeyRing } from '#src/shared/key-ring.js';
import { type Ask, buyTea, logInAnna, withServer } from './with-server.js';

/** A handler that is answered when the test releases it. */
function slowHandler() {
  let enter: () => void = () => undefined;
  let release: () => void = () => undefined;
  const entered = new Promise<void>(resolve => {
    enter = resolve;
  });
  const released = new Promise<void>(resolve => {
    release = resolve;
  });
  const handler: Handler = async () => {
    enter();
    await released;
    return { status: 200 };
  };
  return { entered, release: () => release(), handler };
}

describe('sessions: a read that renews its token and is answered late', () => {
  for (const [name, entry] of [
    ['jwt', jwt],
    ['sealed', sealed],
  ] as const) {
    const slow = { current: slowHandler() };
    const handlers: Record<string, Handler> = {
      '/login': logInAnna,
      '/buy': buyTea,
      '/rotate': async context => {
        await context.rotate();
        return { status: 200 };
      },
      '/slow': context => slow.current.handler(context),
    };

    async function serving(work: (ask: Ask, clock: { nowMs: number }) => Promise<void>): Promise<void> {
      const clock = { nowMs: Date.now() };
      const now = () => clock.nowMs;
      const ring = generateKeyRing();
      const store = memory.open({ url: undefined, deadlineMs: 400, now });
      const settings = { store, feed: new RevocationList(now), keys: () => ring, limits: defaultLimits, now };
      const strategy = entry.open(settings);
      const sessions = serveSessions({ strategy, ready: store.ready, onError: console.error });
      slow.current = slowHandler();
      try {
        await withServer(sessions, handlers, ask => work(ask, clock));
      } finally {
        await sessions.close();
      }
    }

    /** Sends a slow read whose token is renewed, and `path` meanwhile. Returns both answers, the slow one last. */
    async function beside(path: string, ask: Ask, clock: { nowMs: number }) {
      const cookie = (await ask('/login')).cookie ?? '';
      clock.nowMs += defaultLimits.idleMs / 2;
      const reading = ask('/slow', { cookie });
      await slow.current.entered;
      const quick = await ask(path, { cookie });
      slow.current.release();
      return { quick, late: await reading };
    }

    it(`${name}: does not take back a change that was acknowledged meanwhile`, () =>
      serving(async (ask, clock) => {
        const { quick, late } = await beside('/buy', ask, clock);
        const kept = late.cookie ?? quick.cookie ?? '';
        expect(JSON.parse((await ask('/', { cookie: kept })).text).data).to.deep.equal({ cart: ['tea'] });
      }));

    it(`${name}: sets no cookie when the session has a new token meanwhile`, () =>
      serving(async (ask, clock) => {
        const { quick, late } = await beside('/rotate', ask, clock);
        expect(late.setCookies).to.deep.equal([]);
        expect((await ask('/', { cookie: quick.cookie ?? '' })).status).to.equal(200);
      }));
  }
});
