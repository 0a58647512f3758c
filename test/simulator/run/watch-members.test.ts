import { expect } from 'chai';
import type { ClusterMember, ProxyBackend } from '#src/simulator/cluster/cluster.js';
import { eventually } from '#src/simulator/cluster/probe.js';
import { watchMembers } from '#src/simulator/run/watch-members.js';

type State = ProxyBackend['state'];

/** A backend as its process is, and as the proxy sees it. */
function backend(process: ClusterMember['state'], proxy: State | 'silent') {
  return { name: 'backend-1', port: 1, state: process, proxy };
}

async function edgesOf(steps: readonly ReturnType<typeof backend>[]): Promise<string[]> {
  const member = { ...backend('up', 'ready') };
  const edges: string[] = [];
  let looks = 0;
  const proxyAdmin = {
    backends: async () => {
      looks += 1;
      if (member.proxy === 'silent') throw new Error('no proxy is up');
      return [{ name: member.name, state: member.proxy, drained: false, inFlight: 0, bound: 0 }];
    },
  };
  const stop = watchMembers({ members: [member], proxyAdmin }, (name, { state }) => edges.push(`${name} ${state}`));
  try {
    for (const step of steps) {
      Object.assign(member, step);
      const before = looks;
      // The second look begins when the first has been told.
      expect(await eventually(async () => looks >= before + 2, 2_000)).to.equal(true);
    }
  } finally {
    stop();
  }
  return edges;
}

describe('what is seen of the members of a run', () => {
  for (const [what, steps, edges] of [
    ['nothing, while all is well', [backend('up', 'ready')], []],
    ['ejected and back', [backend('up', 'ejected'), backend('up', 'ready')], ['backend-1 ejected', 'backend-1 up']],
    ['cut off is ejected too', [backend('up', 'down')], ['backend-1 ejected']],
    ['dead: that is told by its process', [backend('dead', 'down'), backend('up', 'ready')], []],
    ['ejected, then dead', [backend('up', 'ejected'), backend('dead', 'down')], ['backend-1 ejected']],
    ['draining is no ejection', [backend('draining', 'draining')], []],
    [
      'no proxy says anything: it stays what it was',
      [backend('up', 'ejected'), backend('up', 'silent')],
      ['backend-1 ejected'],
    ],
  ] as const) {
    it(what, async () => {
      expect(await edgesOf(steps)).to.deep.equal(edges);
    });
  }
});
