import { expect } from 'chai';
import type { PlannedStep } from '#src/simulator/plan/planned-user.js';
import { drive, type Handler, kindOf, shopAnswer, withServer } from './scripted.js';

/** Returns a login and adds, so far apart that the connection is idle between them. */
function adds(count: number): PlannedStep[] {
  const steps = Array.from(
    { length: count },
    (_, n): PlannedStep => ({ atMs: 20 + n * 20, kind: 'add', token: `t${n}` }),
  );
  return [{ atMs: 0, kind: 'login' }, ...steps];
}

/** Counts how often each add arrived, by its body. */
async function arrivals(users: number, count: number, answer: Handler) {
  const arrived = new Map<string, number>();
  const counting: Handler = (request, response, nth) => {
    let body = '';
    request.on('data', chunk => {
      body += chunk;
    });
    request.on('end', () => {
      if (kindOf(request) !== 'add') return shopAnswer(request, response);
      arrived.set(body, (arrived.get(body) ?? 0) + 1);
      answer(request, response, nth);
    });
  };
  const plan = Array.from({ length: users }, (_, n) =>
    adds(count).map(step => (step.token === undefined ? step : { ...step, token: `u${n}.${step.token}` })),
  );
  const { operations, lab } = await withServer(counting, origin => drive(origin, plan));
  return { arrived, operations: operations.filter(({ kind }) => kind === 'add'), lab };
}

describe('users: a connection that ends', () => {
  it('when it is reused, during a request: the outcome is unknown, and the request is never retried', async () => {
    const used = new WeakSet<object>();
    const { arrived, operations, lab } = await arrivals(3, 12, (request, response) => {
      if (used.has(request.socket)) return request.socket.resetAndDestroy();
      used.add(request.socket);
      shopAnswer(request, response);
    });
    expect(operations).to.have.length(36);
    expect(lab.dropped).to.equal(0);
    expect(new Set(operations.map(({ token }) => token)).size).to.equal(36);
    expect(
      [...arrived.values()].every(times => times === 1),
      'each once',
    ).to.equal(true);
    expect(operations.filter(({ outcome }) => outcome === 'unknown')).to.not.be.empty;
    expect(operations.filter(({ outcome }) => outcome === 'fail')).to.be.empty;
  });

  it('right after an answer with keep-alive: no add arrives twice, and every ok add arrived', async () => {
    const { arrived, operations } = await arrivals(3, 12, (request, response) => {
      response.once('finish', () => setTimeout(() => request.socket.destroy(), 18));
      shopAnswer(request, response);
    });
    expect(operations).to.have.length(36);
    expect(
      [...arrived.values()].every(times => times === 1),
      'each once',
    ).to.equal(true);
    for (const { outcome, token } of operations)
      if (outcome === 'ok')
        expect(
          [...arrived.keys()].some(what => what.includes(`"${token}"`)),
          token,
        ).to.equal(true);
      else
        expect(outcome === 'fail' && [...arrived.keys()].some(what => what.includes(`"${token}"`)), token).to.equal(
          false,
        );
  });
});
