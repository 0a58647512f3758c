import { bandwidth, breakAnswers, cut, type LinkDirection, latency } from '../../cluster/link-pipe.js';
import { silentForMs } from '../../cluster/probe.js';
import { describeUnreplicated, primaryOf } from '../../cluster/redis-client.js';
import { endsOf } from '../../cluster/targets.js';
import { byteRate, duration, oneOf } from '../../scenario/values.js';
import {
  defineFault,
  linkBrokenEffect,
  linkBrokenInWords,
  linkGoneEffect,
  linkGoneInWords,
  linkSlowEffect,
} from '../fault.js';
import {
  answerBytes,
  askThroughLink,
  confirmBroken,
  countBrokenAnswers,
  countHeldBytes,
  countHeldForward,
  linkFault,
  measureReplication,
} from '../link-fault.js';

/** Faults of a link, which its relay makes. They do not touch the ends of the link. */

const directions = ['both', 'forward', 'back'] as const;

/** A network partition: both ends are healthy, but bytes are lost in one direction or in both. */
export const cutLink = defineFault({
  summary: 'a link drops all bytes, in both directions or in one; healing resets connections that lost bytes',
  doneInWords: 'was cut off',
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

/** Time limit of an answer, without the delay that the link adds. */
const answerWithinMs = 2_000;

/** Delays a link, as if one end were far away. Everything arrives, but later. */
export const slow = defineFault({
  summary: 'a link delays all bytes, with a jitter that follows the seed',
  doneInWords: 'became slow',
  targets: ['link'],
  options: {
    latency: duration(1, '30s')
      .describe('How much longer a request and its answer take together; half of it in each direction.')
      .meta({ examples: ['200ms'] }),
    jitter: duration(0, '30s')
      .prefault('0ms')
      .describe('How much the delay can be above or below the latency, by chance.')
      .meta({ examples: ['50ms'] }),
  },
  effect: (target, { latency, jitter }) => linkSlowEffect(target, Math.max(latency - jitter, latency / 2)),
  effectInWords:
    'an answer through the link took at least half of the latency, and at least the latency minus the jitter',
  make: (target, { latency: latencyMs, jitter: jitterMs }, random) =>
    linkFault(target, {
      disturb: link => link.disturb(latency(latencyMs, jitterMs, random)),
      async confirm(end) {
        const before = countHeldBytes(end.link);
        const { answered, tookMs } = await askThroughLink(end, latencyMs + jitterMs + answerWithinMs);
        // With jitter as large as the latency, any time would do. So the link must also have held bytes.
        const held = countHeldBytes(end.link) > before;
        return answered && held && tookMs >= latencyMs - jitterMs && `an answer through it took ${tookMs} ms`;
      },
      measure: measureReplication(target, countHeldForward),
    }),
});

/** Time limit of an answer: the request may have to wait behind others. */
const askForMs = 500;

/** Limits the bandwidth of a link: later bytes wait until the earlier ones have left. */
export const throttle = defineFault({
  summary: 'a link carries at most so many bytes per second in each direction',
  doneInWords: 'got little bandwidth',
  targets: ['link'],
  options: {
    rate: byteRate.describe('Rate of each direction. All connections share it.').meta({ examples: ['5KB/s'] }),
  },
  effect: target => linkSlowEffect(target),
  effectInWords: 'an answer through the link took longer than twice the 90th percentile of the baseline and 10 ms',
  make: (target, { rate: bytesPerSecond }) =>
    linkFault(target, {
      disturb: link => link.disturb(bandwidth(bytesPerSecond)),
      async confirm(end) {
        const before = countHeldBytes(end.link);
        const { answered, tookMs } = await askThroughLink(end, askForMs);
        const bytes = countHeldBytes(end.link) - before;
        return (
          bytes > 0 && `${answered ? 'an answer' : 'no answer'} through it in ${tookMs} ms, ${bytes} bytes held back`
        );
      },
      measure: measureReplication(target, countHeldForward),
    }),
});

/** Resets connections in the middle of an answer. The client can have half of it. The backend has got the request. */
export const reset = defineFault({
  summary: 'a link cuts answers off by a reset after so many bytes; shorter answers pass',
  doneInWords: 'has its answers cut off',
  targets: ['link'],
  options: { bytes: answerBytes },
  effect: linkBrokenEffect,
  effectInWords: linkBrokenInWords,
  make: (target, { bytes }) =>
    linkFault(target, {
      disturb: link => link.disturb(breakAnswers(bytes, 'reset')),
      confirm: end => confirmBroken(end, bytes),
      measure: countBrokenAnswers,
    }),
});

/** Ends answers early but in order, as after a whole answer. Only a client that counts bytes notices the loss. */
export const truncate = defineFault({
  summary: 'a link ends answers in order after so many bytes; shorter answers pass',
  doneInWords: 'has its answers cut short',
  targets: ['link'],
  options: { bytes: answerBytes },
  effect: linkBrokenEffect,
  effectInWords: linkBrokenInWords,
  make: (target, { bytes }) =>
    linkFault(target, {
      disturb: link => link.disturb(breakAnswers(bytes, 'end')),
      confirm: end => confirmBroken(end, bytes),
      measure: countBrokenAnswers,
    }),
});
