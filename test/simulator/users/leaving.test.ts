import { expect } from 'chai';
import { waitUntil } from '#src/simulator/cluster/probe.js';
import type { Operation } from '#src/simulator/history/records.js';
import type { PlannedStep } from '#src/simulator/plan/planned-user.js';
import { RunClock } from '#src/simulator/run/run-clock.js';
import { Driver } from '#src/simulator/users/driver.js';
import { shopJourney } from '#src/simulator/users/journey.js';
import { type Handler, kindOf, shopAnswer, withServer } from './scripted.js';

interface Scene {
  readonly driver: Driver;
  readonly clock: RunClock;
  readonly operations: Operation[];
  readonly sent: string[];
}

/** Runs a driver without users of its own. */
function withDriver(handler: Handler, use: (scene: Scene) => Promise<void>): Promise<void> {
  return withServer(handler, async origin => {
    const [operations, sent, clock]: [Operation[], string[], RunClock] = [[], [], new RunClock()];
    const driver = new Driver({
      plan: { users: [] },
      proxies: [{ name: 'proxy', url: origin }],
      timeoutMs: 2_000,
      revocationLagMs: 0,
      journey: shopJourney,
      clock,
      onSent: user => sent.push(user),
      onOperation: operation => operations.push(operation),
    });
    try {
      await use({ driver, clock, operations, sent });
    } finally {
      await driver.close();
    }
  });
}

/** Yields a login, and then an add every 10 ms without end. */
function* endless(visit: string, fromMs = 0): Generator<PlannedStep, never> {
  yield { atMs: fromMs, kind: 'login' };
  for (let nth = 1; ; nth += 1) yield { atMs: fromMs + 10 * nth, kind: 'add', token: `${visit}.${nth}` };
}

const some = async (scene: Scene, count: number): Promise<void> => {
  expect(await waitUntil(async () => scene.operations.length >= count, 5_000)).to.equal(true);
};

describe('users without end', () => {
  it('read their cart back when they leave, and do nothing after that', () =>
    withDriver(
      (request, response) => shopAnswer(request, response),
      async scene => {
        const { driver, operations, sent } = scene;
        const gone = driver.add({ name: 'u1', steps: endless('a') });
        await some(scene, 4);
        await Promise.all([driver.leave('u1'), gone]);
        expect(operations[0]?.kind).to.equal('login');
        expect(operations.at(-1)).to.include({ kind: 'read', final: true, outcome: 'ok' });
        expect(operations.filter(({ final }) => final)).to.have.length(1);
        expect(sent).to.have.length(operations.length);
      },
    ));

  it('leave at once, even if their next step is far away', () =>
    withDriver(
      (request, response) => shopAnswer(request, response),
      async scene => {
        const { driver, clock } = scene;
        const steps: PlannedStep[] = [
          { atMs: 0, kind: 'login' },
          { atMs: 600_000, kind: 'read' },
        ];
        const gone = driver.add({ name: 'u1', steps });
        await some(scene, 1);
        await Promise.all([driver.leave('u1'), gone]);
        expect(clock.now()).to.be.below(10_000);
      },
    ));

  it('wait for their open request before they leave', () => {
    let answer: () => void = () => undefined;
    return withDriver(
      (request, response) => {
        if (kindOf(request) === 'add') answer = () => shopAnswer(request, response);
        else shopAnswer(request, response);
      },
      async scene => {
        const { driver, operations, sent } = scene;
        void driver.add({ name: 'u1', steps: endless('a') });
        expect(await waitUntil(async () => sent.length === 2, 5_000)).to.equal(true);
        const left = driver.leave('u1');
        answer();
        await left;
        expect(operations.map(({ kind }) => kind)).to.deep.equal(['login', 'add', 'read']);
      },
    );
  });

  it('come back as the same user with the same browser, and count their logins on', () => {
    const cookies: unknown[] = [];
    const answerLogin: Handler = (request, response) => {
      if (kindOf(request) === 'login') cookies.push(request.headers.cookie);
      shopAnswer(request, response);
    };
    return withDriver(answerLogin, async scene => {
      const { driver, clock, operations } = scene;
      void driver.add({ name: 'u1', steps: endless('a') });
      await some(scene, 2);
      const left = driver.leave('u1');
      // Asked back while it is still leaving: it leaves first.
      void driver.add({ name: 'u1', steps: endless('b', clock.now()) });
      await left;
      await some(scene, operations.length + 3);
      const logins = operations.filter(({ kind }) => kind === 'login');
      expect(logins.map(({ session }) => session)).to.deep.equal([1, 2]);
      expect(cookies).to.deep.equal([undefined, 'sid=1']);
      expect(logins[1]).to.not.have.property('extra');
      const adds = operations.filter(({ kind }) => kind === 'add').map(({ token }) => token?.[0]);
      expect(adds.indexOf('b')).to.equal(adds.lastIndexOf('a') + 1);
    });
  });

  it('end when the driver is closed', () =>
    withDriver(
      (request, response) => shopAnswer(request, response),
      async scene => {
        const { driver } = scene;
        const gone = driver.add({ name: 'u1', steps: endless('a') });
        await some(scene, 2);
        await driver.close();
        await gone;
      },
    ));
});
