import { expect } from 'chai';
import type { Exchange, Outcome } from '#src/proxy/exchange.js';
import type { ProxyEvent } from '#src/proxy/options.js';
import type { Member } from '#src/proxy/pool/member.js';
import { Ejection } from '#src/proxy/pool/observations.js';
import { BackendPool } from '#src/proxy/pool/pool.js';
import { defaultProxyOptions } from '#src/proxy/start-proxy.js';

const answered = (status: number): Outcome => ({ kind: 'answered', status });

function exchange(
  method: string,
  replayable = true,
): Exchange & { readonly brokenOff: 'sent too' | 'unsent' | undefined } {
  let brokenOff: 'sent too' | 'unsent' | undefined;
  return {
    method,
    path: '/',
    clientAddress: '127.0.0.1',
    host: undefined,
    bytesIn: 0,
    bytesOut: 0,
    secure: false,
    upgrade: false,
    replayable,
    get brokenOff() {
      return brokenOff;
    },
    cookie: () => undefined,
    header: () => undefined,
    send: () => Promise.resolve(answered(200)),
    breakOff: mayRepeat => {
      brokenOff = mayRepeat ? 'sent too' : 'unsent';
    },
    endTunnel: () => {},
    refuse: () => {},
  };
}

const settings = {
  drainMs: 60_000,
  ejection: defaultProxyOptions.ejection,
  boundIdleMs: 1000,
  slowStartMs: 0,
  now: () => 0,
  random: () => 0,
  onEvent: () => {},
  onSuspect: () => {},
};

function withPoolOf(size: number, use: (pool: BackendPool, members: Member[], log: Log) => void): void {
  const log: Log = { events: [], suspects: [] };
  const pool = new BackendPool({
    ...settings,
    onEvent: event => log.events.push(event),
    onSuspect: member => log.suspects.push(member.name),
  });
  const members = Array.from({ length: size }, (_, i) => pool.add(new URL(`http://127.0.0.1:${3000 + i}`)));
  for (const member of members) pool.up(member, 'test');
  log.events.length = 0;
  try {
    use(pool, members, log);
  } finally {
    pool.close();
  }
}

interface Log {
  readonly events: ProxyEvent[];
  readonly suspects: string[];
}

function end(pool: BackendPool, member: Member | undefined, ...outcomes: Outcome[]): void {
  for (const outcome of outcomes) {
    const each = exchange('GET');
    if (member === undefined) return;
    pool.end(member, pool.begin(member, each), outcome);
  }
}

describe('pool: candidates', () => {
  it('are ready and not tried, and not suspect unless no other is left', () =>
    withPoolOf(3, (pool, [one, two, three]) => {
      if (one === undefined || two === undefined || three === undefined) return;
      expect(pool.candidates([])).to.deep.equal([one, two, three]);
      expect(pool.candidates([one])).to.deep.equal([two, three]);
      pool.suspect(two);
      expect(pool.candidates([])).to.deep.equal([one, three]);
      pool.down(one, 'test');
      pool.obey(three, 'maint');
      expect(pool.candidates([])).to.deep.equal([two]);
      expect(pool.candidates([two])).to.deep.equal([]);
    }));

  it('get names that are never reused', () =>
    withPoolOf(2, pool => {
      pool.remove('backend-2');
      expect(pool.add(new URL('http://127.0.0.1:1')).name).to.equal('backend-3');
      expect(pool.find('backend-2')).to.equal(undefined);
    }));
});

describe('pool: limits of requests at once', () => {
  for (const [maxconn, parts] of [
    [10, [3, 3, 2, 2]],
    [4, [1, 1, 1, 1]],
    [1, [1, 1, 1, 1]],
  ] as const) {
    it(`divide ${maxconn} among four workers, at least 1 for each`, () => {
      const taken = parts.map((_, nth) => {
        const pool = new BackendPool({ ...settings, maxconn, share: { nth, of: 4 } });
        const member = pool.add(new URL('http://127.0.0.1:3000'));
        let count = 0;
        for (; member.hasSlot; count += 1) pool.begin(member, exchange('GET'));
        pool.close();
        return count;
      });
      expect(taken).to.deep.equal(parts);
    });
  }

  it('do nothing while they are off', () =>
    withPoolOf(2, (pool, members) => {
      expect(pool.limited).to.equal(false);
      expect(pool.candidates([])).to.equal(pool.candidates([]));
      expect(members.map(({ slotsMax }) => slotsMax)).to.deep.equal([
        Number.POSITIVE_INFINITY,
        Number.POSITIVE_INFINITY,
      ]);
    }));
});

describe('pool: failures', () => {
  it('eject after five 5xx in a row, but not after four and a success', () =>
    withPoolOf(3, (pool, [one], log) => {
      const bad = answered(500);
      end(pool, one, bad, bad, bad, bad, answered(404), bad, bad, bad, bad);
      expect(one?.state).to.equal('ready');
      end(pool, one, answered(503));
      expect(one?.state).to.equal('ejected');
      expect(log.events).to.deep.equal([
        {
          kind: 'backend',
          backend: 'backend-1',
          from: 'ready',
          to: 'ejected',
          reason: '5 failures in a row: takes nothing new for 10 s',
        },
      ]);
    }));

  it('are reset by a new boot', () =>
    withPoolOf(3, (pool, [one, two]) => {
      const bad = Array.from({ length: 5 }, () => answered(500));
      for (const member of [one, two]) member?.learn('first');
      end(pool, one, ...bad);
      one?.learn('second');
      expect(one?.state).to.equal('ready');
      end(pool, two, ...bad);
      if (two === undefined) return;
      pool.down(two, 'test');
      pool.up(two, 'test');
      expect(two.state).to.equal('ready');
    }));

  it('are not counted for a removed backend', () =>
    withPoolOf(3, (pool, [one], log) => {
      if (one === undefined) return;
      const slots = [1, 2, 3, 4, 5].map(() => pool.begin(one, exchange('POST')));
      pool.remove(one.name);
      for (const slot of slots) pool.end(one, slot, { kind: 'broken-off', reason: 'connection_terminated' });
      expect(log).to.deep.equal({ events: [], suspects: [] });
      expect(one.inFlight.size).to.equal(0);
    }));

  it('never eject below half of the pool', () => {
    const bad = Array.from({ length: 6 }, () => answered(500));
    for (const [size, stay] of [
      [1, 1],
      [2, 1],
      [3, 2],
      [4, 2],
      [5, 3],
    ] as const) {
      withPoolOf(size, (pool, members) => {
        for (const member of members) end(pool, member, ...bad);
        expect(pool.candidates([])).to.have.length(stay);
      });
    }
  });

  it('end an ejection early when half of the pool needs the member', () => {
    const others: Record<string, (pool: BackendPool, other: Member) => unknown> = {
      down: (pool, other) => pool.down(other, 'test'),
      drained: (pool, other) => pool.obey(other, 'drain'),
      'in maintenance': (pool, other) => pool.obey(other, 'maint'),
    };
    for (const [how, leave] of Object.entries(others)) {
      withPoolOf(4, (pool, [one, two, three, four]) => {
        if (two === undefined || three === undefined || four === undefined) return;
        end(pool, one, ...Array.from({ length: 5 }, () => answered(500)));
        leave(pool, two);
        expect(one?.state, how).to.equal('ejected');
        leave(pool, three);
        expect(one?.state, how).to.equal('ready');
        expect(pool.candidates([])).to.have.members([one, four]);
      });
    }
  });

  it('eject no member, and keep none out, when the others have no weight', () =>
    withPoolOf(2, (pool, [one, two]) => {
      if (two === undefined) return;
      const bad = Array.from({ length: 5 }, () => answered(500));
      end(pool, one, ...bad);
      expect(one?.state).to.equal('ejected');
      pool.weigh(two, 0);
      expect(one?.state).to.equal('ready');
      end(pool, one, ...bad);
      expect(pool.candidates([])).to.deep.equal([one]);
    }));

  it('make a member suspect when a connection was refused or broke, but not when an answer was late', () =>
    withPoolOf(3, (pool, [one, two, three], log) => {
      end(pool, one, { kind: 'refused', reason: 'connection_refused' });
      end(pool, two, { kind: 'broken-off', reason: 'connection_terminated' });
      end(pool, three, { kind: 'broken-off', reason: 'http_response_timeout' }, answered(500), { kind: 'abandoned' });
      expect(log.suspects).to.deep.equal(['backend-1', 'backend-2']);
    }));

  it('release unsent requests when the member goes down, and sent ones that may be retried', () =>
    withPoolOf(2, (pool, [one]) => {
      if (one === undefined) return;
      const get = exchange('GET');
      const put = exchange('PUT', false);
      const post = exchange('POST');
      for (const each of [get, put, post]) pool.begin(one, each);
      pool.obey(one, 'maint');
      expect(get.brokenOff).to.equal(undefined);
      pool.down(one, 'test');
      expect([get, put, post].map(each => each.brokenOff)).to.deep.equal(['sent too', 'unsent', 'unsent']);
    }));
});

describe('ejection', () => {
  it('lasts 10 s times its number, at most 300 s, and resets after 300 s without one', () => {
    const options = defaultProxyOptions.ejection;
    const ejection = new Ejection();
    let nowMs = 0;
    const lasts = Array.from({ length: 40 }, () => {
      const ms = ejection.begin(nowMs, 0, options);
      nowMs += ms + 1000;
      return ms;
    });
    expect(lasts.slice(0, 3)).to.deep.equal([10_000, 20_000, 30_000]);
    expect(lasts.at(-1)).to.be.within(270_000, 300_000);
    expect(ejection.begin(nowMs, 0.999, options)).to.be.within(299_900, 300_000);
    expect(ejection.begin(nowMs + 700_000, 0, options)).to.equal(10_000);
    expect(new Ejection().begin(0, 0.5, options)).to.equal(10_500);
  });
});

describe('member: state', () => {
  it('follows from health, order and ejection together, in any sequence', () =>
    withPoolOf(3, (pool, [one], log) => {
      if (one === undefined) return;
      pool.obey(one, 'drain');
      pool.down(one, 'test');
      expect(one.state).to.equal('down');
      pool.up(one, 'test');
      expect(one.state).to.equal('draining');
      pool.obey(one, 'maint');
      pool.down(one, 'test');
      pool.up(one, 'test');
      expect(one.state).to.equal('down');
      pool.obey(one, 'ready');
      expect(one.state).to.equal('ready');
      const states = log.events.flatMap(event => (event.kind === 'backend' ? [event.to] : []));
      expect(states).to.deep.equal(['draining', 'down', 'draining', 'down', 'ready']);
    }));

  it('counts the boots of a backend that does not name them, and believes one that does', () =>
    withPoolOf(1, (pool, [one], log) => {
      if (one === undefined) return;
      expect(one.incarnation).to.equal('1');
      pool.down(one, 'test');
      pool.up(one, 'test');
      expect(one.incarnation).to.equal('2');
      one.learn('abc');
      pool.down(one, 'test');
      pool.up(one, 'test');
      expect(one.incarnation).to.equal('abc');
      for (const useless of [undefined, '', 'a b', 'x'.repeat(129), 'é']) one.learn(useless);
      expect(one.incarnation).to.equal('abc');
      one.bound.see('1', 0);
      one.learn('def');
      expect(one.bound.count(0)).to.equal(0);
      expect(log.events.flatMap(event => (event.kind === 'incarnation' ? [event.incarnation] : []))).to.deep.equal([
        '2',
        'def',
      ]);
    }));
});
