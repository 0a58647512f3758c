import { count, duration } from '../words.js';
import type { ChartLane } from './lane.js';
import type { Bucket, Timeline } from './timeline-data.js';

export function requestsLane({ buckets, bucketMs }: Timeline): ChartLane {
  const ok = sum(buckets, bucket => bucket.ok);
  return {
    chart: 'requests',
    title: `Requests per ${duration(bucketMs)}`,
    legend: [
      { className: 'ok', text: `ok ${count(ok)}` },
      { className: 'planned', text: 'due, by the plan' },
    ],
    description:
      ok === 0
        ? 'No request ended ok.'
        : `${count(ok)} requests ended ok, at most ${count(largest(buckets, bucket => bucket.ok))} in ${duration(bucketMs)}.`,
  };
}

/** Describes the lane of bad requests. It has its own scale, so that a few failures among thousands stay visible. */
export function troubleLane({ buckets, bucketMs, dropped }: Timeline): ChartLane {
  const failed = sum(buckets, bucket => bucket.failed);
  const unknown = sum(buckets, bucket => bucket.unknown);
  const asked = buckets.some(({ ok, planned }) => ok + planned > 0);
  const untimed = sum(buckets, bucket => bucket.dropped) === dropped ? '' : ', moments not recorded';
  const worst = count(largest(buckets, bucket => bucket.failed + bucket.unknown));
  const clean = asked ? 'Every request was answered ok.' : 'No request was sent.';
  return {
    chart: 'trouble',
    title: `Not ok per ${duration(bucketMs)}`,
    legend: [
      { className: 'failed', text: `failed ${count(failed)}` },
      { className: 'unknown', text: `unknown ${count(unknown)}` },
      ...(dropped === 0 ? [] : [{ className: 'dropped', text: `dropped ${count(dropped)}${untimed}` }]),
    ],
    description:
      failed + unknown + dropped === 0
        ? clean
        : `${count(failed)} requests failed, ${count(unknown)} ended unknown, at most ${worst} in ${duration(bucketMs)}; ${count(dropped)} were never sent.`,
  };
}

export function latencyLane({ buckets }: Timeline): ChartLane {
  const timeouts = sum(buckets, bucket => bucket.timeouts);
  const most = (of: (bucket: Bucket) => number | null) => duration(largest(buckets, bucket => of(bucket) ?? 0));
  return {
    chart: 'latency',
    title: 'Response time, log scale',
    legend: [
      { className: 'p50', text: 'p50' },
      { className: 'p99', text: 'p99' },
      { className: 'max', text: 'max' },
      { className: 'timeout', text: `timed out ${count(timeouts)}, at the top edge` },
    ],
    description: `Highest p50 ${most(({ p50 }) => p50)}, highest p99 ${most(({ p99 }) => p99)}, slowest ${most(({ max }) => max)}; ${count(timeouts)} requests timed out.`,
  };
}

function sum(buckets: readonly Bucket[], of: (bucket: Bucket) => number): number {
  return buckets.reduce((total, bucket) => total + of(bucket), 0);
}

function largest(buckets: readonly Bucket[], of: (bucket: Bucket) => number): number {
  return buckets.reduce((most, bucket) => Math.max(most, of(bucket)), 0);
}
