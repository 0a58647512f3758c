import { expect } from 'chai';
import type { AttemptFailure, Exchange, Outcome } from '#src/proxy/exchange.js';
import { BackendPool } from '#src/proxy/pool/pool.js';
import { RequestDispatcher } from '#src/proxy/proxy.js';
import { roundRobin } from '#src/proxy/routing-policies.js';
import { defaultProxyOptions } from '#src/proxy/start-proxy.js';
import { ProxyMetrics } from '#src/proxy/telemetry/metrics.js';

/** An exchange whose attempts end when the test says so, so that the number in flight does not depend on speed. */
class Held implements Exchange {
  readonly method: string;
  readonly path = '/';
  readonly clientAddress = '127.0.0.1';
  readonly host = undefined;
  readonly bytesIn = 0;
  readonly bytesOut = 0;
  readonly secure = false;
  readonly upgrade: boolean;
  readonly replayable = true;
  attempts = 0;
  refused = 0;
  end: (outcome: Outcome) => void = () => {};

  constructor(method = 'GET', upgrade = false) {
    this.method = method;
    this.upgrade = upgrade;
  }

  header(): undefined {}

  cookie(): undefined {}

  send(): Promise<Outcome> {
    this.attempts += 1;
    return new Promise(resolve => (this.end = resolve));
  }

  breakOff(): void {}

  endTunnel(): void {}

  refuse(status: number): void {
    this.refused = status;
  }
}

const late: Outcome = { kind: 'broken-off', reason: 'http_response_timeout' };
const answered: Outcome = { kind: 'answered', status: 200 };

/** Runs the dispatcher with three backends and these exchanges in flight. */
async function withDispatcher(exchanges: readonly Held[], use: (scene: Scene) => Promise<void>): Promise<void> {
  const pool = new BackendPool({
    drainMs: 0,
    ejection: defaultProxyOptions.ejection,
    boundIdleMs: 0,
    slowStartMs: 0,
    now: () => 0,
    random: () => 0,
    onEvent: () => {},
    onSuspect: () => {},
  });
  for (let i = 0; i < 3; i += 1) pool.up(pool.add(new URL(`http://127.0.0.1:${3000 + i}`)), 'test');
  const metrics = new ProxyMetrics(() => []);
  const dispatcher = new RequestDispatcher({
    pool,
    policy: roundRobin(),
    affinity: undefined,
    metrics,
    namesBackends: false,
    now: () => 0,
  });
  const served = exchanges.map(exchange => dispatcher.serve(exchange));
  const over = async () => {
    for (const exchange of exchanges) exchange.end(answered);
    await Promise.all(served);
  };
  try {
    await use({
      serve: exchange => void served.push(dispatcher.serve(exchange)),
      withheld: async () => Number(/retries_withheld_total\S+ (\d+)/.exec(await metrics.text())?.[1]),
    });
  } finally {
    await over();
    pool.close();
  }
}

interface Scene {
  serve(exchange: Exchange): void;
  withheld(): Promise<number>;
}

const held = (count: number, method?: string, upgrade?: boolean): Held[] =>
  Array.from({ length: count }, () => new Held(method, upgrade));
const settle = () => new Promise(resolve => setImmediate(resolve));
const again = (exchanges: readonly Held[]): number => exchanges.filter(({ attempts }) => attempts > 1).length;

describe('retry budget', () => {
  for (const [count, retried] of [
    [2, 2],
    [10, 3],
    [50, 10],
  ] as const) {
    it(`${count} late requests in flight: ${retried} are retried, the others get 504`, () => {
      const exchanges = held(count);
      return withDispatcher(exchanges, async scene => {
        for (const exchange of exchanges) exchange.end(late);
        await settle();
        const given504 = exchanges.filter(({ refused }) => refused === 504).length;
        expect([again(exchanges), given504, await scene.withheld()]).to.deep.equal([
          retried,
          count - retried,
          count - retried,
        ]);
      });
    });
  }

  it('is released when a retry ends, however it ended', () => {
    const exchanges = held(6);
    return withDispatcher(exchanges, async scene => {
      const [one, two, three, four, five, six] = exchanges;
      for (const exchange of [one, two, three]) exchange?.end(late);
      await settle();
      four?.end(late);
      await settle();
      expect([again(exchanges), four?.refused]).to.deep.equal([3, 504]);
      // A late retry goes on within its own slot of the budget.
      one?.end(late);
      await settle();
      expect(one?.attempts).to.equal(3);
      one?.end(late);
      await settle();
      expect(one?.refused).to.equal(504);
      five?.end(late);
      await settle();
      two?.end(answered);
      await settle();
      six?.end(late);
      await settle();
      expect([five?.attempts, six?.attempts, await scene.withheld()]).to.deep.equal([2, 2, 1]);
    });
  });

  it('does not limit requests of a lost server: all of them are retried', async () => {
    const lost: readonly (readonly [Outcome['kind'] & ('refused' | 'broken-off'), AttemptFailure])[] = [
      ['refused', 'connection_refused'],
      ['refused', 'connection_timeout'],
      ['broken-off', 'connection_terminated'],
      ['broken-off', 'marked_down'],
    ];
    for (const [kind, reason] of lost) {
      const exchanges = held(40);
      await withDispatcher(exchanges, async scene => {
        for (const exchange of exchanges) exchange.end({ kind, reason });
        await settle();
        expect([again(exchanges), await scene.withheld()], reason).to.deep.equal([40, 0]);
      });
    }
  });

  it('is not used by requests that may not be retried', () => {
    const posts = held(5, 'POST');
    return withDispatcher(posts, async scene => {
      for (const post of posts) post.end(late);
      await settle();
      expect([again(posts), await scene.withheld()]).to.deep.equal([0, 0]);
    });
  });

  it('does not grow with tunnels', () => {
    const tunnels = held(100, 'GET', true);
    return withDispatcher(tunnels, async scene => {
      const exchanges = held(6);
      for (const exchange of exchanges) scene.serve(exchange);
      for (const exchange of exchanges) exchange.end(late);
      await settle();
      expect([again(exchanges), await scene.withheld()]).to.deep.equal([3, 3]);
      for (const exchange of exchanges) exchange.end(answered);
    });
  });
});
