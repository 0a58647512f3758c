import { expect } from 'chai';
import { strategies } from '#src/sessions/registry.js';
import type { Handler } from '#src/sessions/request-session.js';
import { openSessions } from '#src/sessions/sessions.js';
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

/** Its edit asks for another change. */
const addInside: Handler = async context => {
  let inner: Promise<unknown> | undefined;
  await context.change(data => {
    inner ??= context.change(one);
    one(data);
  });
  await inner;
  return { status: 201 };
};

const show: Handler = async context => ({ status: 200, body: String(context.session?.record.data.n) });

/** Refused by the type. A caller in JavaScript, or a cast, gets past it. */
const asyncEdit = async (data: { n?: unknown }) => {
  data.n = 99;
  await Promise.reject(new Error('an unhandled rejection would end the process'));
};

const editLater =
  (method: 'change' | 'rotate'): Handler =>
  async context => {
    // @ts-expect-error an edit must not be async
    const refused = await context[method](asyncEdit).catch((error: unknown) => error);
    return { status: refused instanceof TypeError ? 201 : 500 };
  };

function one(data: { n?: unknown }): void {
  Object.assign(data, { n: Number(data.n) + 1 });
}

/** Tests the steps of one request. Within it, no change is lost, also where the last of two responses wins. */
for (const strategy of Object.keys(strategies)) {
  describe(`parallel steps of one request: ${strategy}`, () => {
    async function visiting(path: string): Promise<readonly [status: number, shown: string]> {
      const sessions = await openSessions({ strategy, store: 'memory', storeUrl: undefined });
      const handlers = {
        ...{ '/login': login, '/3': addThree, '/rotate': rotateAndAdd, '/fail': failAndAdd, '/show': show },
        ...{ '/inside': addInside },
        ...{ '/change-later': editLater('change'), '/rotate-later': editLater('rotate') },
      };
      const work = async (ask: Ask) => {
        const { cookie: first = '' } = await ask('/login');
        const { status, cookie = first } = await ask(path, { cookie: first });
        if (path.endsWith('later')) expect(cookie, 'nothing is written').to.equal(first);
        return [status, (await ask('/show', { cookie })).text] as const;
      };
      try {
        return await withServer(sessions, handlers, work);
      } finally {
        await sessions.close();
      }
    }

    it('loses none of several changes', async () => expect(await visiting('/3')).to.deep.equal([201, '3']));

    it('loses no change that an edit asks for', async () =>
      expect(await visiting('/inside')).to.deep.equal([201, '2']));

    it('continues with the token of a rotation', async () =>
      expect(await visiting('/rotate')).to.deep.equal([201, '2']));

    for (const method of ['change', 'rotate']) {
      it(`refuses an async edit of ${method} with a TypeError before it writes anything`, async () =>
        expect(await visiting(`/${method}-later`)).to.deep.equal([201, '0']));
    }

    it('waits for the other steps when one fails, and sets their cookie', async () =>
      expect(await visiting('/fail')).to.deep.equal([413, '1']));
  });
}
