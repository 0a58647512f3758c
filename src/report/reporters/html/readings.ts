import { count, counted, duration, seconds } from '../../words.js';
import type { Bucket, Timeline } from './timeline-data.js';

/** What the cursor says at each bucket of the timeline. */
export function readingsOf(timeline: Timeline): readonly string[] {
  return timeline.buckets.map((bucket, index) => {
    const startMs = index * timeline.bucketMs;
    const parts = [traffic(bucket), latency(bucket), harm(bucket), ...weather(timeline, startMs)];
    return `${seconds(startMs)}: ${parts.filter(part => part !== '').join(' · ')}`;
  });
}

function traffic({ ok, failed, unknown, timeouts }: Bucket): string {
  if (ok + failed + unknown === 0) return 'nothing ended';
  const extras = [
    `${count(failed)} failed`,
    `${count(unknown)} unknown`,
    ...(timeouts > 0 ? [`${count(timeouts)} timed out`] : []),
  ];
  return `${count(ok)} ok, ${extras.join(', ')}`;
}

function latency({ p50, p99 }: Bucket): string {
  return p50 === null || p99 === null ? '' : `p50 ${duration(p50)}, p99 ${duration(p99)}`;
}

function harm({ lostSoFar, loggedOutSoFar }: Bucket): string {
  return `${counted(lostSoFar, 'write')} lost, ${counted(loggedOutSoFar, 'user')} logged out so far`;
}

/** Faults that overlap the bucket, and members that are not plainly up in it. */
function weather({ faults, members, endMs, bucketMs }: Timeline, startMs: number): string[] {
  const overlaps = (from: number, to: number) => from < startMs + bucketMs && to > startMs;
  return [
    ...faults
      .filter(({ requestedMs, healedMs }) => overlaps(requestedMs, healedMs ?? endMs))
      .map(({ fault, target }) => `fault: ${fault} ${target}`),
    ...members.flatMap(({ name, spans }) =>
      spans
        .filter(({ state, startMs: from, endMs: to }) => state !== 'up' && overlaps(from, to))
        .map(({ state }) => `${name} ${state}`),
    ),
  ];
}
