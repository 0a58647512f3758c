import type { RunColumns, TimelineColumns } from '../browser/columns.js';
import { count, duration, timeTicks } from '../numbers.js';
import {
  axisLane,
  type ChartLane,
  faultsLane,
  laneMarkup,
  logoutLane,
  lossLane,
  membersLane,
  type PlaceOf,
  phasesLane,
  toPercent,
} from './lanes.js';
import { embeddedJson, type Markup, markup } from './page.js';
import type { Bucket, Timeline } from './timeline-data.js';

/** The lanes in the order of cause and effect: faults, requests, losses of users, states of processes. */
const lanes = [
  phasesLane,
  faultsLane,
  requestsLane,
  troubleLane,
  latencyLane,
  lossLane,
  logoutLane,
  membersLane,
  axisLane,
] as const;

/** One run in the timeline. */
interface FigurePart {
  readonly name: string;
  readonly badge: Markup;
  readonly timeline: Timeline;
  readonly placeOf: PlaceOf;
}

/** Renders one timeline: the lanes of each run over its backdrop, with a common time axis and one cursor. */
export function timelineFigure(parts: readonly FigurePart[]): Markup {
  const columns = columnsOf(parts);
  const last = (columns.runs[0]?.planned.length ?? 1) - 1;
  return markup`<figure class="timeline" aria-label="Timeline of all modes">
<div class="reading scroll" role="region" aria-label="What happened at the cursor" tabindex="0"></div>
<div class="lanes">
${parts.map(partMarkup)}
<svg class="overlay front" aria-hidden="true"><line class="cursor" x1="0" x2="0" y1="0" y2="100%"/></svg>
<div class="slider"><input type="range" min="0" max="${last}" value="0" step="1" aria-label="Moment of the run"></div>
</div>
<figcaption>Requests are counted when they ended; the dashed line shows when they were planned. Response time counts from the planned moment; a request that timed out counts with its limit. Tinted bands: a confirmed fault was in force. Move the pointer, or use the arrow keys on the slider below, to move the cursor. Click the mark of a lost write or of a logged-out user to open the whole story of that user.</figcaption>
<script type="application/json" id="timeline-data">${embeddedJson(columns)}</script>
</figure>
`;
}

function partMarkup({ name, badge, timeline, placeOf }: FigurePart, run: number): Markup {
  return markup`<section class="run" data-lanes="${run}" aria-labelledby="run-${run + 1}">
${backdrop(timeline)}
<h3 id="run-${run + 1}">${name} ${badge}</h3>
${lanes.map(lane => laneMarkup(lane(timeline, placeOf), run))}
</section>
`;
}

/** Renders the time grid and the faults behind all lanes of a run. */
function backdrop({ faults, endMs }: Timeline): Markup {
  const grid = timeTicks(endMs).map(ms => {
    const x = toPercent(ms, endMs);
    return markup`<line class="grid" x1="${x}" x2="${x}" y1="0" y2="100%"/>`;
  });
  const bands = faults.map(({ confirmedMs, healedMs }) => {
    if (confirmedMs === null) return '';
    const width = toPercent((healedMs ?? endMs) - confirmedMs, endMs);
    return markup`<rect class="band" x="${toPercent(confirmedMs, endMs)}" width="${width}" height="100%"/>`;
  });
  return markup`<svg class="overlay back" aria-hidden="true">${bands}${grid}</svg>`;
}

function columnsOf(parts: readonly FigurePart[]): TimelineColumns {
  const { bucketMs = 1, endMs = 1 } = parts[0]?.timeline ?? {};
  return { bucketMs, endMs, runs: parts.map(({ name, timeline }) => runColumns(name, timeline)) };
}

function runColumns(name: string, { buckets, faults, members, endMs }: Timeline): RunColumns {
  const column = (of: (bucket: Bucket) => number) => buckets.map(of);
  const times = (of: (bucket: Bucket) => number | null) =>
    buckets.map(bucket => {
      const value = of(bucket);
      return value === null ? null : Math.round(value * 100) / 100;
    });
  return {
    name,
    planned: column(({ planned }) => planned),
    ok: column(({ ok }) => ok),
    failed: column(({ failed }) => failed),
    unknown: column(({ unknown }) => unknown),
    timeouts: column(({ timeouts }) => timeouts),
    dropped: column(({ dropped }) => dropped),
    p50: times(({ p50 }) => p50),
    p99: times(({ p99 }) => p99),
    max: times(({ max }) => max),
    lostSoFar: column(({ lostSoFar }) => lostSoFar),
    loggedOutSoFar: column(({ loggedOutSoFar }) => loggedOutSoFar),
    spans: [
      ...faults.map(({ fault, target, requestedMs, healedMs }): [string, number, number] => [
        `${fault} ${target}`,
        requestedMs,
        healedMs ?? endMs,
      ]),
      ...members.flatMap(member =>
        member.spans
          .filter(({ state }) => state !== 'up')
          .map((span): [string, number, number] => [`${member.name} ${span.state}`, span.startMs, span.endMs]),
      ),
    ],
  };
}

function requestsLane({ buckets, bucketMs }: Timeline): ChartLane {
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
function troubleLane({ buckets, bucketMs, dropped }: Timeline): ChartLane {
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

function latencyLane({ buckets }: Timeline): ChartLane {
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
