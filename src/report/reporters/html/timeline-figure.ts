import type { JudgedRun } from '../../../simulator/verdict.js';
import { embeddedJson } from './embedded-json.js';
import { across, laneMarkup } from './lane.js';
import { logoutLane, lossLane } from './loss-lanes.js';
import { type Markup, markup } from './markup.js';
import { readingsOf } from './readings.js';
import { timeTicks } from './scale.js';
import { axisLane, faultsLane, membersLane, phasesLane } from './state-lanes.js';
import { type Timeline, timelineOf } from './timeline-data.js';
import { latencyLane, requestsLane, troubleLane } from './traffic-lanes.js';

/** In the order of cause and effect: what broke, what became of requests, what users lost, who was down. */
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

/** One timeline: its lanes over a common backdrop, and one cursor across all of them. */
export function timelineFigure(judged: JudgedRun, name: string): Markup {
  const timeline = timelineOf(judged);
  const last = timeline.buckets.length - 1;
  return markup`<figure class="timeline" aria-label="Timeline of ${name}">
<output class="reading" aria-live="off"></output>
<div class="lanes">
${backdrop(timeline)}
${lanes.map(lane => laneMarkup(lane(timeline)))}
<svg class="overlay front" aria-hidden="true"><line class="cursor" x1="0" x2="0" y1="0" y2="100%"/></svg>
<div class="slider"><input type="range" min="0" max="${last}" value="0" step="1" aria-label="Moment of the run (${name})"></div>
</div>
<figcaption>Requests are counted when they ended; the dashed line shows when the plan wanted them. Response time counts from the planned moment; a request that timed out counts at its limit. Tinted bands: a confirmed fault was in force.</figcaption>
<script type="application/json" class="readings">${embeddedJson(readingsOf(timeline))}</script>
</figure>
`;
}

/** Behind all lanes at once: the time grid and the faults, so that the eye can follow them down. */
function backdrop({ faults, endMs }: Timeline): Markup {
  const grid = timeTicks(endMs).map(ms => {
    const x = across(ms, endMs);
    return markup`<line class="grid" x1="${x}" x2="${x}" y1="0" y2="100%"/>`;
  });
  const bands = faults.map(({ confirmedMs, healedMs }) => {
    if (confirmedMs === null) return '';
    const width = across((healedMs ?? endMs) - confirmedMs, endMs);
    return markup`<rect class="band" x="${across(confirmedMs, endMs)}" width="${width}" height="100%"/>`;
  });
  return markup`<svg class="overlay back" aria-hidden="true">${bands}${grid}</svg>`;
}
