import { expect } from 'chai';
import type { ClusterMember, ProxyBackend } from '#src/simulator/cluster/cluster.js';
import { waitUntil } from '#src/simulator/cluster/probe.js';
import { watchMembers } from '#src/simulator/run/lab-health.js';

type State = ProxyBackend['state'];

/** A backend with the state of its process, and its state in the proxy. */
function backend(process: ClusterMember['state'], proxy: State | 'silent') {
  return { name: 'backend-1', port: 1, state: process, proxy };
}

async function transitionsOf(steps: readonly ReturnType<typeof backend>[]): Promise<string[]> {
  const member = { ...backend('up', 'ready') };
  const transitions: string[] = [];
  let looks = 0;
  const proxyAdmin = {
    backends: async () => {
      looks += 1;
      if (member.proxy === 'silent') throw new Error('no proxy is up');
      return [{ name: member.name, state: member.proxy, drained: false, inFlight: 0, bound: 0 }];
    },
  };
  const stop = watchMembers({ members: [member], proxyAdmin }, (name, { state }) =>
    transitions.push(`${name} ${state}`),
  );
  try {
    for (const step of steps) {
      Object.assign(member, step);
      const before = looks;
      // The second poll begins when the first has been reported.
      expect(await waitUntil(async () => looks >= before + 2, 2_000)).to.equal(true);
    }
  } finally {
    stop();
  }
  return transitions;
}

describe('watchMembers', () => {
  for (const [what, steps, transitions] of [
    ['reports nothing while all backends are ready', [backend('up', 'ready')], []],
    [
      'reports an ejection and a readmission',
      [backend('up', 'ejected'), backend('up', 'ready')],
      ['backend-1 ejected', 'backend-1 up'],
    ],
    ['reports a backend that is down in the proxy as ejected', [backend('up', 'down')], ['backend-1 ejected']],
    [
      'does not report a death, which the process itself reports',
      [backend('dead', 'down'), backend('up', 'ready')],
      [],
    ],
    ['reports an ejection before a death', [backend('up', 'ejected'), backend('dead', 'down')], ['backend-1 ejected']],
    ['does not report draining as an ejection', [backend('draining', 'draining')], []],
    [
      'keeps the state while no proxy answers',
      [backend('up', 'ejected'), backend('up', 'silent')],
      ['backend-1 ejected'],
    ],
  ] as const) {
    it(what, async () => {
      expect(await transitionsOf(steps)).to.deep.equal(transitions);
    });
  }

  it('passes on each answer of the proxies', async () => {
    const seen: number[] = [];
    const member = backend('up', 'ready');
    const answer = { name: member.name, state: 'ready', drained: false, inFlight: 0, bound: 7 } as const;
    const watched = { members: [member], proxyAdmin: { backends: async () => [answer] } };
    const stop = watchMembers(watched, () => undefined, {
      intervalMs: 1,
      onBackends: backends => seen.push(...backends.map(({ bound }) => bound)),
    });
    expect(await waitUntil(async () => seen.length >= 2, 2_000)).to.equal(true);
    stop();
    expect(new Set(seen)).to.deep.equal(new Set([7]));
  });
});
