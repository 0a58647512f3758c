import { cut, type LinkDirection } from '../../cluster/links/toxics.js';
import { describeUnreplicated, primaryOf } from '../../cluster/redis-client.js';
import { endsOf } from '../../cluster/targets.js';
import { oneOf } from '../../scenario/values.js';
import { linkGoneEffect } from '../effects.js';
import { defineFault } from '../fault.js';
import { askThroughLink, linkFault, measureReplication } from '../link-fault.js';

const directions = ['both', 'forward', 'back'] as const;
/** A live process on loopback answers within a few milliseconds. */
const silentForMs = 250;

/** A partition: both ends are well, and one does not hear the other, or neither does. */
export const cutLink = defineFault({
  summary: 'a link swallows all bytes, both ways or one; healed, connections that lost bytes are reset',
  targets: ['link'],
  options: {
    direction: oneOf('direction', directions)
      .default('both')
      .describe('forward: what the first end says is swallowed; back: what the other answers.'),
  },
  effect: target => linkGoneEffect(target),
  effectInWords:
    'no user was answered through it between confirmation and healing; a store was asked in vain, or its replication lost bytes',
  make: (target, { direction }) =>
    linkFault(target, {
      toxic: () => cut(direction),
      async confirm(end, cluster) {
        const before = swallowedBytes(end.link.traffic, direction);
        if ((await askThroughLink(end, silentForMs)).answered) return false;
        const bytes = swallowedBytes(end.link.traffic, direction) - before;
        if (bytes === 0) return false;
        const seen = `no answer through it within ${silentForMs} ms, ${bytes} bytes swallowed`;
        const replica = endsOf(target)?.[1] ?? '';
        if (primaryOf(replica) === undefined) return seen;
        const waited = await describeUnreplicated(cluster, replica);
        return waited && `${seen}, ${waited}`;
      },
      // A replica says something every second: where the primary is cut off too, only its words count.
      measure: measureReplication(target, ({ traffic }) =>
        swallowedBytes(traffic, direction === 'both' ? 'forward' : direction),
      ),
    }),
});

function swallowedBytes(
  traffic: Readonly<Record<LinkDirection, { readonly swallowedBytes: number }>>,
  direction: (typeof directions)[number],
): number {
  const ways: readonly LinkDirection[] = direction === 'both' ? ['forward', 'back'] : [direction];
  return ways.reduce((sum, way) => sum + traffic[way].swallowedBytes, 0);
}
