import { cut, type LinkDirection } from '../../cluster/links/toxics.js';
import { describeUnreplicated, primaryOf } from '../../cluster/redis-client.js';
import { endsOf } from '../../cluster/targets.js';
import { oneOf } from '../../scenario/values.js';
import { defineFault, linkGoneEffect, linkGoneInWords } from '../fault.js';
import { askThroughLink, linkFault, measureReplication } from '../link-fault.js';

const directions = ['both', 'forward', 'back'] as const;
/** A live process on loopback answers within a few milliseconds. */
const silentForMs = 250;

/** A network partition: both ends are healthy, but bytes are lost in one direction or in both. */
export const cutLink = defineFault({
  summary: 'a link drops all bytes, in both directions or in one; healing resets connections that lost bytes',
  targets: ['link'],
  options: {
    direction: oneOf('direction', directions)
      .default('both')
      .describe('forward: bytes from the first end are dropped; back: bytes from the other end.'),
  },
  effect: target => linkGoneEffect(target),
  effectInWords: linkGoneInWords,
  make: (target, { direction }) =>
    linkFault(target, {
      disturb: link => link.disturb(cut(direction)),
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
      // A replica sends bytes every second. When both directions are cut, only the bytes of the primary count.
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
