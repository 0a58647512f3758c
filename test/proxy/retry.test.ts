import { expect } from 'chai';
import type { Outcome } from '#src/proxy/exchange.js';
import { isIdempotent, mayRetry, triesMax } from '#src/proxy/retry.js';

const refused: Outcome = { kind: 'refused', reason: 'connection_refused' };
const brokenOff: Outcome = { kind: 'broken-off', reason: 'connection_terminated' };
const over: readonly Outcome[] = [
  { kind: 'answered', status: 200 },
  { kind: 'answered', status: 503 },
  { kind: 'cut', reason: 'connection_terminated' },
  { kind: 'abandoned' },
];
const repeatable = ['GET', 'HEAD', 'OPTIONS', 'TRACE', 'PUT', 'DELETE'];
const once = ['POST', 'PATCH', 'LOCK', 'CONNECT', 'PURGE', 'get', 'Put', ''];

describe('retry', () => {
  it('tries another backend after a refusal, whatever the method', () => {
    for (const method of [...repeatable, ...once]) {
      expect(mayRetry({ method, outcome: refused, triesMade: 1, replayable: true }), method).to.equal(true);
    }
  });

  it('tries another backend after a break only with a method that may be carried out twice', () => {
    for (const method of repeatable) {
      expect(mayRetry({ method, outcome: brokenOff, triesMade: 1, replayable: true }), method).to.equal(true);
    }
    for (const method of once) {
      expect(mayRetry({ method, outcome: brokenOff, triesMade: 1, replayable: true }), method).to.equal(false);
    }
  });

  it('tries at most two further backends', () => {
    const allowed = [1, 2, 3, 4].filter(triesMade =>
      mayRetry({ method: 'GET', outcome: refused, triesMade, replayable: true }),
    );
    expect(allowed).to.deep.equal([1, 2]);
    expect(triesMax).to.equal(3);
  });

  it('never sends half a body: nothing is retried once the body is no longer whole', () => {
    for (const outcome of [refused, brokenOff]) {
      expect(mayRetry({ method: 'PUT', outcome, triesMade: 1, replayable: false })).to.equal(false);
    }
  });

  it('never retries what was answered, what was cut, or what nobody waits for', () => {
    for (const outcome of over) {
      expect(mayRetry({ method: 'GET', outcome, triesMade: 1, replayable: true }), outcome.kind).to.equal(false);
    }
  });

  it('knows the idempotent methods by their exact spelling', () => {
    expect(repeatable.filter(isIdempotent)).to.deep.equal(repeatable);
    expect(once.filter(isIdempotent)).to.deep.equal([]);
  });
});
