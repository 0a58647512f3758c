import { expect } from 'chai';
import type { Handler } from '#src/sessions/session-context.js';
import { openSessions } from '#src/sessions/start-sessions.js';
import { strategies } from '#src/sessions/strategies/registry.js';
import { type Ask, withServer } from './with-server.js';

const login: Handler = async context => {
  await context.begin('anna', { n: 0 });
  return { status: 200 };
};

const addThree: Handler = async context => {
  await Promise.all([1, 2, 3].map(() => context.change(one)));
  return { status: 201 };
};

const rotateAndAdd: Handler = async context => {
  await Promise.all([context.rotate(), context.change(one), context.rotate(one)]);
  return { status: 201 };
};

const failAndAdd: Handler = async context => {
  const tooMuch = context.change(data => void Object.assign(data, { blob: 'x'.repeat(1_000_000) }));
  await Promise.all([tooMuch, context.change(one)]);
  return { status: 201 };
};

const show: Handler = async context => ({ status: 200, body: String(context.session?.record.data.n) });

function one(data: { n?: unknown }): void {
  Object.assign(data, { n: Number(data.n) + 1 });
}

/** Also where of two requests the one answered last wins: within one request nothing is lost. */
for (const strategy of Object.keys(strategies)) {
  describe(`steps of one visit at the same time: ${strategy}`, () => {
    async function visiting(path: string): Promise<readonly [status: number, shown: string]> {
      const sessions = await openSessions({ strategy, store: 'memory', storeUrl: undefined });
      const handlers = { '/login': login, '/3': addThree, '/rotate': rotateAndAdd, '/fail': failAndAdd, '/show': show };
      const work = async (ask: Ask) => {
        const { cookie: first = '' } = await ask('/login');
        const { status, cookie = first } = await ask(path, { cookie: first });
        return [status, (await ask('/show', { cookie })).text] as const;
      };
      try {
        return await withServer(sessions, handlers, work);
      } finally {
        await sessions.close();
      }
    }

    it('loses none of several changes', async () => expect(await visiting('/3')).to.deep.equal([201, '3']));

    it('goes on with the token that a rotation leaves', async () =>
      expect(await visiting('/rotate')).to.deep.equal([201, '2']));

    it('waits for the others when one fails, and tells the browser of them', async () =>
      expect(await visiting('/fail')).to.deep.equal([413, '1']));
  });
}
