import type { JudgedRun } from '../../simulator/checker/verdict/verdict.js';
import { labelRuns } from '../comparison.js';
import { type Cases, casesOf } from '../html/case-file.js';
import { conditionsSections } from '../html/conditions.js';
import { faultsTable, membersSection } from '../html/faults-table.js';
import { incidentsPart, noSessionSection } from '../html/incident-tables.js';
import { type Markup, markup } from '../html/markup.js';
import { matrixTable } from '../html/matrix-table.js';
import { page } from '../html/page.js';
import { pageScript } from '../html/page-script.js';
import { timelinesOf } from '../html/timeline-data.js';
import { timelineFigure } from '../html/timeline-figure.js';
import { badge, verdictSection, windowsSection } from '../html/verdicts.js';
import { matrixCell, matrixOf } from '../matrix.js';
import type { Reporter } from '../reporter.js';

/** Maximum for all runs together. It keeps a file with many losses small enough to open quickly. */
const storyOperationsMax = 250_000;

/**
 * Renders one self-contained file. All text and tables are written here. The script of the page draws the plots, moves
 * the cursor and opens the stories.
 */
export const html: Reporter = runs => {
  const names = labelRuns(runs);
  const perRun = Math.floor(storyOperationsMax / Math.max(1, runs.length));
  const cases = runs.map(judged => casesOf(judged, perRun));
  const body = markup`${pageHeader(runs)}
<main>
${verdictSection(runs)}
${matrixSection(runs, names)}
${timelineSection(runs, names, cases)}
${lossesSection(runs, names, cases)}
${windowsSection(runs)}
${membersSection(runs)}
${noSessionSection(runs)}
${conditionsSections(runs)}
</main>
<dialog aria-labelledby="story-title"></dialog>`;
  const scenario = runs[0]?.run.header.scenario ?? '';
  return page({ title: `${scenario} – Holdfast`, script: pageScript, body });
};

function pageHeader([first]: readonly JudgedRun[]): Markup {
  if (first === undefined) return markup``;
  const { scenario, why, seed, startedAt } = first.run.header;
  return markup`<header><p class="product">Holdfast · failover report</p><h1>${scenario}</h1><p class="why">${why}</p>
<p class="meta">seed ${seed} · <time datetime="${startedAt}">${startedAt.replace('T', ' ').replace(/\.\d+Z$/, ' UTC')}</time></p></header>`;
}

/** A mode that ran more than once has a column for each run. */
function matrixSection(runs: readonly JudgedRun[], names: readonly string[]): Markup {
  const cells = runs.map((judged, index) => ({ ...matrixCell(judged), mode: names[index] ?? '' }));
  const table = matrixTable(matrixOf(cells), column => `#run-${column + 1}`);
  return markup`<section aria-labelledby="matrix"><h2 id="matrix">Side by side</h2>${table}</section>`;
}

function timelineSection(runs: readonly JudgedRun[], names: readonly string[], cases: readonly Cases[]): Markup {
  const timelines = timelinesOf(runs);
  const parts = runs.flatMap(({ verdict }, index) => {
    const timeline = timelines[index];
    const places = new Map(cases[index]?.incidents.map((incident, place) => [incident, place]));
    return timeline === undefined
      ? []
      : { name: names[index] ?? '', badge: badge(verdict.word), timeline, placeOf: places.get.bind(places) };
  });
  return markup`<section aria-labelledby="timeline"><h2 id="timeline">Timeline</h2>${timelineFigure(parts)}
<h3>Faults</h3>${faultsTable(runs)}</section>`;
}

function lossesSection(runs: readonly JudgedRun[], names: readonly string[], cases: readonly Cases[]): Markup {
  const parts = runs.map((judged, index) => {
    const own = cases[index];
    return own === undefined ? '' : incidentsPart(judged, own, index, names[index] ?? '');
  });
  return markup`<section aria-labelledby="losses"><h2 id="losses">What was lost</h2>
<p class="meta">Click a row, or press Enter on its user, to open the whole story of that user with every request.</p>${parts}</section>`;
}
