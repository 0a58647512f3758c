import { expect } from 'chai';
import type { Outcome } from '#src/proxy/exchange.js';
import { fitsBudget, isIdempotent, mayRetry, needsRetryBudget, triesMax } from '#src/proxy/retry.js';

const refused: Outcome = { kind: 'refused', reason: 'connection_refused' };
const brokenOff: Outcome = { kind: 'broken-off', reason: 'connection_terminated' };
const over: readonly Outcome[] = [
  { kind: 'answered', status: 200 },
  { kind: 'answered', status: 503 },
  { kind: 'cut', reason: 'connection_terminated' },
  { kind: 'abandoned' },
  { kind: 'own-failure', reason: 'proxy_internal_error' },
];
const repeatable = ['GET', 'HEAD', 'OPTIONS', 'TRACE', 'PUT', 'DELETE'];
const once = ['POST', 'PATCH', 'LOCK', 'CONNECT', 'PURGE', 'get', 'Put', ''];

describe('retry', () => {
  it('tries another backend after a refusal, whatever the method', () => {
    for (const method of [...repeatable, ...once]) {
      expect(mayRetry({ method, outcome: refused, triesMade: 1, replayable: true }), method).to.equal(true);
    }
  });

  it('tries another backend after a break only for an idempotent method', () => {
    for (const method of repeatable) {
      expect(mayRetry({ method, outcome: brokenOff, triesMade: 1, replayable: true }), method).to.equal(true);
    }
    for (const method of once) {
      expect(mayRetry({ method, outcome: brokenOff, triesMade: 1, replayable: true }), method).to.equal(false);
    }
  });

  it('tries at most two more backends', () => {
    const allowed = [1, 2, 3, 4].filter(triesMade =>
      mayRetry({ method: 'GET', outcome: refused, triesMade, replayable: true }),
    );
    expect(allowed).to.deep.equal([1, 2]);
    expect(triesMax).to.equal(3);
  });

  it('never retries once the replay buffer has lost a part of the body', () => {
    for (const outcome of [refused, brokenOff]) {
      expect(mayRetry({ method: 'PUT', outcome, triesMade: 1, replayable: false })).to.equal(false);
    }
  });

  it('never retries an answered, a cut or an abandoned request', () => {
    for (const outcome of over) {
      expect(mayRetry({ method: 'GET', outcome, triesMade: 1, replayable: true }), outcome.kind).to.equal(false);
    }
  });

  it('counts retries after a time-out against the budget, but not those after a lost server', () => {
    const reasons = ['http_response_timeout', 'marked_down', 'connection_terminated', 'http_protocol_error'] as const;
    const rationed = reasons.filter(reason => needsRetryBudget({ kind: 'broken-off', reason }));
    expect(rationed).to.deep.equal(['http_response_timeout']);
    expect(needsRetryBudget({ kind: 'refused', reason: 'connection_timeout' })).to.equal(false);
  });

  it('allows retries for a fifth of the requests in flight, and for at least 3', () => {
    const allowed = [1, 3, 15, 19, 20, 100].map(requests => {
      let retries = 0;
      while (fitsBudget({ retries, requests })) retries += 1;
      return retries;
    });
    expect(allowed).to.deep.equal([3, 3, 3, 3, 4, 20]);
  });

  it('knows the idempotent methods by their exact spelling', () => {
    expect(repeatable.filter(isIdempotent)).to.deep.equal(repeatable);
    expect(once.filter(isIdempotent)).to.deep.equal([]);
  });
});
