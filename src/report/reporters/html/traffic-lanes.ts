import { count, duration } from '../../words.js';
import { across, emptyNote, type Lane, round, stretched } from './lane.js';
import { type Markup, markup } from './markup.js';
import { logScale, roundUp, tickText } from './scale.js';
import type { Bucket, Timeline } from './timeline-data.js';

/** Room above the curves for the marks of what timed out. */
const topEdge = 10;

export function requestsLane({ buckets, bucketMs, dropped }: Timeline): Lane {
  const height = 84;
  const top = roundUp(largest(buckets, ({ ok, planned }) => Math.max(ok, planned)));
  const ok = sum(buckets, bucket => bucket.ok);
  const planned = markup`<path class="planned" d="${steps(
    buckets.map(bucket => bucket.planned),
    top,
  )}"/>`;
  return {
    title: `Requests per ${duration(bucketMs)}`,
    legend: [
      { className: 'ok', text: 'ok' },
      { className: 'planned', text: 'due, by the plan' },
    ],
    description: `${count(ok)} requests ended ok, at most ${count(largest(buckets, bucket => bucket.ok))} in ${duration(bucketMs)}; ${count(dropped)} dropped.`,
    height,
    labels: axis(top, height),
    plot: [
      stretched(buckets.length, top, [
        area(
          'ok',
          buckets.map(bucket => bucket.ok),
          top,
        ),
        planned,
      ]),
      ok === 0 ? emptyNote(height, 'no request ended ok') : markup``,
    ],
  };
}

/** A scale of its own: a handful of failures among thousands must be seen. */
export function troubleLane({ buckets, bucketMs, dropped }: Timeline): Lane {
  const height = 48;
  const failed = sum(buckets, bucket => bucket.failed);
  const unknown = sum(buckets, bucket => bucket.unknown);
  const both = buckets.map(bucket => bucket.failed + bucket.unknown);
  const top = roundUp(both.reduce((a, b) => Math.max(a, b), 1));
  const asked = buckets.some(({ ok, planned }) => ok + planned > 0);
  return {
    title: `Not ok per ${duration(bucketMs)}`,
    legend: [
      { className: 'failed', text: `failed ${count(failed)}` },
      { className: 'unknown', text: `unknown ${count(unknown)}` },
      ...(dropped === 0 ? [] : [{ className: 'dropped', text: `dropped ${count(dropped)}, moments not recorded` }]),
    ],
    description: `${count(failed)} requests failed, ${count(unknown)} ended unknown, at most ${count(both.reduce((a, b) => Math.max(a, b), 0))} in ${duration(bucketMs)}.`,
    height,
    labels: failed + unknown === 0 ? [] : axis(top, height),
    plot:
      failed + unknown === 0
        ? emptyNote(height, asked ? 'every request was answered ok' : 'no request was sent')
        : stretched(buckets.length, top, [
            area('unknown', both, top),
            area(
              'failed',
              buckets.map(bucket => bucket.failed),
              top,
            ),
          ]),
  };
}

export function latencyLane({ buckets, endMs, bucketMs }: Timeline): Lane {
  const height = 104;
  const scale = logScale(buckets.flatMap(({ p50, p99 }) => [p50 ?? [], p99 ?? []].flat()));
  const y = (ms: number) => round(topEdge + (height - topEdge - 4) * (1 - scale.at(ms)));
  const timeouts = sum(buckets, bucket => bucket.timeouts);
  const grid = scale.ticks.map(tick => markup`<line class="grid" x1="0" x2="100%" y1="${y(tick)}" y2="${y(tick)}"/>`);
  return {
    title: 'Response time, log scale',
    legend: [
      { className: 'p50', text: 'p50' },
      { className: 'p99', text: 'p99' },
      { className: 'timeout', text: `timed out ${count(timeouts)}` },
    ],
    description: `Highest p99 ${duration(largest(buckets, bucket => bucket.p99 ?? 0))}; ${count(timeouts)} requests timed out.`,
    height,
    labels: scale.ticks.map(tick => ({ y: y(tick), text: tickText(tick) })),
    plot: [
      ...grid,
      stretched(buckets.length, height, [
        curve(
          'p99',
          buckets.map(({ p99 }) => (p99 === null ? null : y(p99))),
        ),
        curve(
          'p50',
          buckets.map(({ p50 }) => (p50 === null ? null : y(p50))),
        ),
      ]),
      ...buckets.flatMap((bucket, index) => timeoutMark(bucket, (index + 0.5) * bucketMs, endMs)),
    ],
  };
}

function timeoutMark({ timeouts }: Bucket, ms: number, endMs: number): Markup[] {
  if (timeouts === 0) return [];
  const x = across(ms, endMs);
  return [
    markup`<line class="timeout" x1="${x}" x2="${x}" y1="0" y2="8"><title>${count(timeouts)} timed out</title></line>`,
  ];
}

function axis(top: number, height: number) {
  return [
    { y: 0, text: count(top) },
    { y: height, text: '0' },
  ];
}

function area(className: string, values: readonly number[], top: number): Markup {
  return markup`<path class="${className}" d="M0,${top}${values.map((value, index) => `V${top - value}H${index + 1}`).join('')}V${top}Z"/>`;
}

function steps(values: readonly number[], top: number): string {
  return values.map((value, index) => `${index === 0 ? 'M0,' : 'V'}${top - value}H${index + 1}`).join('');
}

/** Straight lines between the middles of the buckets; a bucket without a value is a gap. */
function curve(className: string, ys: readonly (number | null)[]): Markup {
  const points = ys.map((y, index) => {
    if (y === null) return '';
    const begins = (ys[index - 1] ?? null) === null;
    // A lone point gets a short stroke of its own, or nothing of it would be seen.
    return begins ? `M${index + 0.4},${y}L${index + 0.5},${y}` : `L${index + 0.5},${y}`;
  });
  return markup`<path class="${className}" d="${points.join('')}"/>`;
}

function sum(buckets: readonly Bucket[], of: (bucket: Bucket) => number): number {
  return buckets.reduce((total, bucket) => total + of(bucket), 0);
}

function largest(buckets: readonly Bucket[], of: (bucket: Bucket) => number): number {
  return buckets.reduce((most, bucket) => Math.max(most, of(bucket)), 0);
}
