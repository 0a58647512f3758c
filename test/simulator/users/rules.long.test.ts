import { setTimeout as delay } from 'node:timers/promises';
import { expect } from 'chai';
import { LabError } from '#src/simulator/errors.js';
import type { Operation } from '#src/simulator/history/records.js';
import { CookieJar } from '#src/simulator/users/browser.js';
import { HttpClient } from '#src/simulator/users/http-client.js';
import { listReplayTimes } from '#src/simulator/users/user.js';
import { drive, type Handler, json, kindOf, shopAnswer, steps, withServer } from './scripted.js';

/** Returns kind, outcome and session of each record, in the order of sending. */
function story(operations: readonly Operation[]): string[] {
  return [...operations]
    .sort((a, b) => a.id - b.id)
    .map(({ kind, outcome, session }) => `${kind} ${outcome} ${session}`);
}

const anonymous: Handler = (_request, response) => json(response, 401, { error: 'who are you?' });

describe('users: what they do', () => {
  it('send at the planned time or later, one step after the other, and record each once', async () => {
    const plan = [
      { atMs: 0, kind: 'login' },
      { atMs: 30, kind: 'add', token: 't1' },
      { atMs: 60, kind: 'read' },
    ] as const;
    let open = 0;
    let openMax = 0;
    const slow: Handler = (request, response) => {
      open += 1;
      openMax = Math.max(openMax, open);
      setTimeout(() => {
        open -= 1;
        shopAnswer(request, response);
      }, 50);
    };
    const { operations } = await withServer(slow, origin => drive(origin, [plan]));
    expect(story(operations)).to.deep.equal(['login ok 1', 'add ok 1', 'read ok 1']);
    expect(openMax).to.equal(1);
    for (const [index, { plannedMs, sentMs, doneMs }] of operations.entries()) {
      expect(plannedMs).to.equal(plan[index]?.atMs);
      expect(sentMs).to.be.at.least(Math.max(plannedMs, operations[index - 1]?.doneMs ?? 0));
      expect(doneMs).to.be.at.least(sentMs + 45);
    }
  });

  it('do not wait for each other', async () => {
    const hangOne: Handler = (request, response) => {
      let body = '';
      request
        .on('data', chunk => (body += chunk))
        .on('end', () => body.includes('u1') || shopAnswer(request, response, 'u2'));
    };
    const { operations } = await withServer(hangOne, origin =>
      drive(origin, [steps('login'), steps('login', 'read', 'read')], { timeoutMs: 300 }),
    );
    const [hung, quick] = ['u1', 'u2'].map(name => operations.filter(({ user }) => user === name));
    expect(hung?.map(({ outcome }) => outcome)).to.deep.equal(['unknown']);
    expect(quick?.map(({ outcome }) => outcome)).to.deep.equal(['ok', 'ok', 'ok']);
    expect(quick?.at(-1)?.doneMs).to.be.below(250);
  });

  it('drop a step that would start more than the timeout late, and count it', async () => {
    const late = (['read', 'whoami', 'logout'] as const).map((kind, index) => ({ atMs: 60 + index, kind }));
    const { operations, lab } = await withServer(
      (request, response) => kindOf(request) === 'login' && shopAnswer(request, response),
      origin => drive(origin, [[...steps('login', 'read'), ...late]], { timeoutMs: 100 }),
    );
    // The reads time out one after the other, so 200 ms or more pass.
    expect(story(operations)).to.deep.equal(['login ok 1', 'read fail 1', 'read fail 1']);
    expect(lab).to.deep.include({ dropped: 2, droppedMs: [61, 62] });
    const [waitedMs, ...others] = lab.droppedWaitMs ?? [];
    expect(waitedMs).to.be.within(100, 1_000);
    expect(others, 'a skipped logout makes no user wait').to.deep.equal([0]);
  });

  it('do not count as lag the time in which their own request was open', async () => {
    const { lab } = await withServer(
      (request, response) => setTimeout(() => shopAnswer(request, response), 150),
      origin => drive(origin, [steps('login', 'read', 'read')]),
    );
    expect(lab.lagMs.max).to.be.below(100);
  });

  it('log in again after the second anonymous answer in a row, and not after the first', async () => {
    const script: Handler = (request, response, nth) =>
      [2, 4, 5].includes(nth) ? anonymous(request, response, nth) : shopAnswer(request, response);
    const { operations } = await withServer(script, origin =>
      drive(origin, [steps('login', 'read', 'read', 'read', 'add', 'add', 'read')]),
    );
    expect(story(operations)).to.deep.equal([
      'login ok 1',
      'read fail 1',
      'read ok 1',
      'read fail 1',
      'add fail 1',
      'login ok 2',
      'add ok 2',
      'read ok 2',
    ]);
    expect(operations.find(({ session, kind }) => kind === 'login' && session === 2)?.plannedMs).to.equal(5);
  });

  it('repeat a login that did not end ok before the next step', async () => {
    const script: Handler = (request, response, nth) =>
      nth === 1 ? request.socket.destroy() : shopAnswer(request, response);
    const { operations } = await withServer(script, origin => drive(origin, [steps('login', 'add', 'read')]));
    expect(story(operations)).to.deep.equal(['login unknown 1', 'login ok 1', 'add ok 1', 'read ok 1']);
  });

  it('do not log in unplanned after their own logout', async () => {
    const script: Handler = (request, response) =>
      kindOf(request) === 'read' ? anonymous(request, response, 0) : shopAnswer(request, response);
    const { operations } = await withServer(script, origin =>
      drive(origin, [steps('login', 'logout', 'read', 'read', 'read')]),
    );
    expect(story(operations)).to.deep.equal([
      'login ok 1',
      'logout ok 1',
      'replay ok 1',
      'read fail 1',
      'read fail 1',
      'read fail 1',
    ]);
  });

  it('replay the cookies from before an acknowledged logout, and keep nothing from the answer', async () => {
    const seen: (string | undefined)[] = [];
    const script: Handler = (request, response) => {
      seen.push(request.headers.cookie);
      if (kindOf(request) === 'logout')
        json(response, 200, { user: null }, { 'set-cookie': 'sid=; Path=/; Max-Age=0' });
      else if (kindOf(request) === 'read')
        json(response, 200, { user: 'u1', items: [] }, { 'set-cookie': 'sid=revived; Path=/' });
      else shopAnswer(request, response);
    };
    const { operations } = await withServer(script, origin => drive(origin, [steps('login', 'logout', 'whoami')]));
    expect(seen).to.deep.equal([undefined, 'sid=1', 'sid=1', undefined]);
    expect(operations.find(({ kind }) => kind === 'replay')).to.include({
      outcome: 'fail',
      identity: 'u1',
      session: 1,
    });
  });

  it('replay again and again for a second where the scenario says how often', async () => {
    const shop: Handler = (request, response) => shopAnswer(request, response);
    const { operations } = await withServer(shop, origin =>
      drive(origin, [steps('login', 'logout')], { replayEveryMs: 100 }),
    );
    const replays = operations.filter(({ kind }) => kind === 'replay');
    expect(replays.length).to.equal(11);
    const logout = operations.find(({ kind }) => kind === 'logout');
    const waits = replays.slice(0, 10).map(({ plannedMs }) => Math.round(plannedMs - Number(logout?.doneMs)));
    expect(waits).to.deep.equal([0, 100, 200, 300, 400, 500, 600, 700, 800, 900]);
  });

  it('try an old session as often whenever they logged out', () => {
    // The sum of ten steps of 100 ms after 70.611 ms is below 1070.611.
    for (const loggedOutMs of [0, 70.611]) expect(listReplayTimes(loggedOutMs, 1_000, 100)).to.have.length(10);
    expect(listReplayTimes(5, 250, 100)).to.deep.equal([5, 105, 205]);
  });

  it('replay when the revocation lag is over, in parallel with their next steps', async () => {
    const slowReplay: Handler = (request, response) =>
      kindOf(request) === 'read'
        ? setTimeout(() => anonymous(request, response, 0), 50)
        : shopAnswer(request, response);
    const plan = [...steps('login', 'logout', 'login', 'add'), { atMs: 320, kind: 'whoami' } as const];
    const { operations, lab } = await withServer(slowReplay, origin => drive(origin, [plan], { revocationLagMs: 300 }));
    const { kind: _, ...replay } = operations.find(({ kind }) => kind === 'replay') ?? { kind: 'none' };
    const logout = operations.find(({ kind }) => kind === 'logout');
    expect(replay).to.include({ session: 1, outcome: 'ok', plannedMs: Number(logout?.doneMs) + 300 });
    expect(story(operations)).to.include.members([
      'login ok 1',
      'logout ok 1',
      'login ok 2',
      'add ok 2',
      'whoami ok 2',
    ]);
    expect(operations).to.have.length(6);
    expect(lab.dropped).to.equal(0);
  });

  it('skip a logout and the login after it when an error came instead of the cart', async () => {
    const script: Handler = (request, response, nth) =>
      nth === 2 ? response.writeHead(503).end() : shopAnswer(request, response);
    const plan = steps('login', 'read', 'logout', 'login', 'whoami', 'read', 'logout', 'login');
    const { operations, lab } = await withServer(script, origin => drive(origin, [plan]));
    expect(story(operations)).to.deep.equal([
      'login ok 1',
      'read fail 1',
      'whoami ok 1',
      'read ok 1',
      'logout ok 1',
      'replay fail 1',
      'login ok 2',
    ]);
    expect(lab).to.deep.include({ dropped: 2, droppedWaitMs: [0, 0] });
  });

  it('skip a logout when an anonymous answer came instead of the cart, and read again', async () => {
    const script: Handler = (request, response, nth) =>
      nth === 2 ? response.writeHead(401).end('{"user":null}') : shopAnswer(request, response);
    const plan = steps('login', 'read', 'logout', 'login', 'read');
    const { operations } = await withServer(script, origin => drive(origin, [plan]));
    expect(story(operations)).to.deep.equal(['login ok 1', 'read fail 1', 'read ok 1']);
  });

  it('do not replay after a logout that was not acknowledged', async () => {
    const script: Handler = (request, response) =>
      kindOf(request) === 'logout' ? response.writeHead(503).end() : shopAnswer(request, response);
    const { operations } = await withServer(script, origin => drive(origin, [steps('login', 'logout')]));
    expect(story(operations)).to.deep.equal(['login ok 1', 'logout unknown 1']);
  });

  it('do not use the old session after a logout that was not acknowledged, and log in again', async () => {
    const script: Handler = (request, response, nth) =>
      nth >= 2 && nth <= 4 ? response.writeHead(503).end() : shopAnswer(request, response);
    const plan = steps('login', 'logout', 'login', 'whoami', 'read', 'whoami');
    const { operations, lab } = await withServer(script, origin => drive(origin, [plan]));
    expect(story(operations)).to.deep.equal([
      'login ok 1',
      'logout unknown 1',
      'login unknown 2',
      'login unknown 2',
      'login ok 2',
      'read ok 2',
      'whoami ok 2',
    ]);
    expect(operations.map(({ extra }) => extra ?? false)).to.deep.equal([
      false,
      false,
      false,
      true,
      true,
      false,
      false,
    ]);
    expect(operations.filter(({ extra }) => !extra).length + lab.dropped, 'the plan').to.equal(plan.length);
  });
});

describe('users: several tabs', () => {
  const tab = (atMs: number, token: string) => ({ atMs, kind: 'add', token, beside: true }) as const;
  const login = { atMs: 0, kind: 'login' } as const;

  it('send in parallel, continue when all are answered, and use the last cookie', async () => {
    const answeredAfterMs: Record<string, number> = { t1: 120, t2: 60, t3: 0 };
    const seen: (string | undefined)[] = [];
    const script: Handler = (request, response) => {
      if (kindOf(request) !== 'add') {
        seen.push(request.headers.cookie);
        return shopAnswer(request, response);
      }
      let body = '';
      request.on('data', chunk => (body += chunk));
      request.on('end', () => {
        const token: string = JSON.parse(body).sku;
        seen.push(`${token} with ${request.headers.cookie}`);
        const cookie = { 'set-cookie': `sid=after-${token}; Path=/` };
        setTimeout(() => json(response, 201, { user: 'u1' }, cookie), answeredAfterMs[token]);
      });
    };
    const plan = [
      login,
      tab(5, 't1'),
      tab(5, 't2'),
      { atMs: 5, kind: 'add', token: 't3' },
      { atMs: 6, kind: 'read' },
    ] as const;
    const { operations, lab } = await withServer(script, origin => drive(origin, [plan]));
    expect(seen.slice(1, 4)).to.have.members(['t1 with sid=1', 't2 with sid=1', 't3 with sid=1']);
    expect([seen[0], ...seen.slice(4)]).to.deep.equal([undefined, 'sid=after-t1']);
    expect(story(operations)).to.deep.equal(['login ok 1', 'add ok 1', 'add ok 1', 'add ok 1', 'read ok 1']);
    expect(operations.map(({ token }) => token)).to.deep.equal([undefined, 't3', 't2', 't1', undefined]);
    expect(operations.at(-1)?.sentMs).to.be.at.least(operations.at(-2)?.doneMs ?? Number.NaN);
    expect(lab.lagMs.max, 'what the slow tab held back is no lag').to.be.below(60);
  });

  it('log in once for all tabs when two answers were anonymous', async () => {
    const script: Handler = (request, response, nth) =>
      nth === 2 || nth === 3 ? anonymous(request, response, nth) : shopAnswer(request, response);
    const plan = [...steps('login', 'read', 'read'), tab(50, 't1'), tab(50, 't2'), { atMs: 60, kind: 'read' } as const];
    const { operations } = await withServer(script, origin => drive(origin, [plan]));
    expect(story(operations).slice(3)).to.deep.equal(['login ok 2', 'add ok 2', 'add ok 2', 'read ok 2']);
  });

  it('log out during a slow add, wait for the add, and replay both the old cookies and those that it set', async () => {
    const replayed: (string | undefined)[] = [];
    const script: Handler = (request, response) => {
      if (request.url === '/cart?delayMs=80')
        setTimeout(() => json(response, 201, { user: 'u1' }, { 'set-cookie': 'sid=revived; Path=/' }), 80);
      else if (kindOf(request) === 'logout')
        json(response, 200, { user: null }, { 'set-cookie': 'sid=; Path=/; Max-Age=0' });
      else if (kindOf(request) === 'read' && request.headers.cookie !== undefined) {
        replayed.push(request.headers.cookie);
        shopAnswer(request, response);
      } else shopAnswer(request, response);
    };
    const slow = { ...tab(5, 't1'), slowMs: 80 };
    const plan = [login, slow, { atMs: 30, kind: 'logout' } as const, { atMs: 40, kind: 'login' } as const];
    const { operations } = await withServer(script, origin => drive(origin, [plan]));
    expect(replayed).to.have.members(['sid=1', 'sid=revived']);
    expect(story(operations)).to.have.members([
      'login ok 1',
      'add ok 1',
      'logout ok 1',
      'replay fail 1',
      'replay fail 1',
      'login ok 2',
    ]);
    const [add, logout, again] = ['add', 'logout', 'login'].map(kind => operations.findLast(one => one.kind === kind));
    expect(logout?.doneMs).to.be.below(add?.doneMs ?? 0);
    expect(again?.sentMs).to.be.at.least(add?.doneMs ?? Number.NaN);
  });

  it('skip the slow add of a skipped logout', async () => {
    const script: Handler = (request, response, nth) =>
      nth === 2 ? response.writeHead(503).end() : shopAnswer(request, response);
    const slow = { ...tab(5, 't1'), slowMs: 80 };
    const plan = [...steps('login', 'read'), slow, { atMs: 30, kind: 'logout' } as const];
    const { operations, lab } = await withServer(script, origin => drive(origin, [plan]));
    expect(story(operations)).to.deep.equal(['login ok 1', 'read fail 1']);
    expect(lab.dropped).to.equal(2);
  });
});

describe('users: the read-back', () => {
  it('is repeated while it is neither ok nor anonymous', async () => {
    const script: Handler = (request, response, nth) =>
      nth === 2 || nth === 3 ? response.writeHead(503).end() : shopAnswer(request, response);
    const { operations } = await withServer(script, origin => drive(origin, [steps('login')], { readBack: true }));
    expect(story(operations)).to.deep.equal(['login ok 1', 'read fail 1', 'read fail 1', 'read ok 1']);
    expect(operations.map(({ final }) => final)).to.deep.equal([undefined, true, true, true]);
  });

  it('retries after an anonymous answer, and ends when it gets the cart', async () => {
    const script: Handler = (request, response, nth) =>
      nth === 2 ? anonymous(request, response, nth) : shopAnswer(request, response);
    const { operations } = await withServer(script, origin => drive(origin, [steps('login')], { readBack: true }));
    expect(story(operations)).to.deep.equal(['login ok 1', 'read fail 1', 'read ok 1']);
    expect(Number(operations[2]?.sentMs) - Number(operations[1]?.doneMs)).to.be.at.least(199);
  });

  it('logs in again after the second anonymous answer, and reads what is left', async () => {
    const script: Handler = (request, response, nth) =>
      nth === 2 || nth === 3 ? anonymous(request, response, nth) : shopAnswer(request, response);
    const { operations } = await withServer(script, origin => drive(origin, [steps('login')], { readBack: true }));
    expect(story(operations)).to.deep.equal(['login ok 1', 'read fail 1', 'read fail 1', 'login ok 2', 'read ok 2']);
    expect(operations.map(({ final }) => final ?? false)).to.deep.equal([false, true, true, true, true]);
    expect(operations.map(({ extra }) => extra ?? false)).to.deep.equal([false, false, false, true, false]);
  });

  it('ends when it is anonymous even after that login, and skips a user that never logged in', async () => {
    const script: Handler = (request, response) =>
      kindOf(request) === 'login' ? shopAnswer(request, response) : anonymous(request, response, 0);
    const { operations } = await withServer(script, origin =>
      drive(origin, [steps('login'), steps('read')], { readBack: true }),
    );
    const final = operations.filter(one => one.final);
    expect(final.map(({ user }) => user)).to.deep.equal(['u1', 'u1', 'u1', 'u1']);
    expect(story(final)).to.deep.equal(['read fail 1', 'read fail 1', 'login ok 2', 'read fail 2']);
  });

  it('retries that login until it ends ok, at most five times', async () => {
    const script: Handler = (request, response, nth) =>
      kindOf(request) === 'login' && nth > 1
        ? response.writeHead(503).end()
        : nth === 1
          ? shopAnswer(request, response)
          : anonymous(request, response, 0);
    const { operations } = await withServer(script, origin => drive(origin, [steps('login')], { readBack: true }));
    const final = operations.filter(one => one.final);
    expect(final.filter(({ kind }) => kind === 'read')).to.have.length(5);
    expect(final.filter(({ kind }) => kind === 'login')).to.have.length(3);
  });

  it('skips a user that logged out', async () => {
    const { operations } = await withServer(
      (request, response) => shopAnswer(request, response),
      origin => drive(origin, [steps('login', 'logout')], { readBack: true }),
    );
    expect(operations.some(({ final }) => final)).to.equal(false);
  });

  it('is tried at most five times', async () => {
    const script: Handler = (request, response) =>
      kindOf(request) === 'login' ? shopAnswer(request, response) : request.socket.destroy();
    const { operations } = await withServer(script, origin => drive(origin, [steps('login')], { readBack: true }));
    expect(operations.filter(({ final }) => final)).to.have.length(5);
  });
});

describe('users: cookies and addresses', () => {
  it('accept a cookie with 4,096 bytes of name and value and refuse a longer one, as browsers do', () => {
    const jar = new CookieJar('http://127.0.0.1:1');
    jar.store([`fits=${'x'.repeat(4_092)}; Path=/; Max-Age=60`, `over=${'x'.repeat(4_093)}; Path=/`, 'small=1']);
    expect(
      jar
        .header('/cart')
        ?.split('; ')
        .map(pair => pair.split('=')[0]),
    ).to.have.members(['fits', 'small']);
  });

  it('keep the old value of a cookie when the new one is too long', () => {
    const jar = new CookieJar('http://127.0.0.1:1');
    jar.store('cart=old');
    jar.store(`cart=${'x'.repeat(4_100)}`);
    expect(jar.header('/')).to.equal('cart=old');
  });

  it('drop expired cookies, and send cookies by path', () => {
    const jar = new CookieJar('http://127.0.0.1:1');
    jar.store(['a=1; Path=/', 'b=1; Path=/cart']);
    expect(jar.header('/me')).to.equal('a=1');
    jar.store('a=; Path=/; Max-Age=0');
    expect(jar.header('/me')).to.equal(undefined);
  });

  it('drop a cookie that expires between two requests', async () => {
    const jar = new CookieJar('http://127.0.0.1:1');
    jar.store('a=1; Path=/; Max-Age=1');
    expect(jar.header('/me')).to.equal('a=1');
    await delay(1_100);
    expect(jar.header('/me')).to.equal(undefined);
  });

  it('accept loopback addresses only', () => {
    for (const origin of ['http://10.0.0.1:80', 'http://example.com', 'http://127.0.0.1.example.com'])
      expect(() => new HttpClient(origin, 1_000)).to.throw(LabError, 'loopback');
  });
});
