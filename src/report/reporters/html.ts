import type { JudgedRun } from '../../simulator/checker/verdict/verdict.js';
import { compare, labelRuns } from '../comparison.js';
import { type Cases, casesOf } from '../html/case-file.js';
import { type Markup, markup, page, pageScript, scrollable } from '../html/page.js';
import { faultsTable, incidentsPart, matrixTable, membersSection, noSessionSection } from '../html/tables.js';
import { timelinesOf } from '../html/timeline-data.js';
import { timelineFigure } from '../html/timeline-figure.js';
import { badge, conditionsSections, verdictSection, windowsSection } from '../html/verdicts.js';
import { matrixCell, matrixOf } from '../matrix.js';
import type { Reporter } from '../reporter.js';
import { nameScenario } from '../sentence.js';

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
  const [first] = runs;
  const scenario = first === undefined ? '' : nameScenario(first.run.header);
  return page({ title: `${scenario} – Holdfast`, script: pageScript, body });
};

function pageHeader([first]: readonly JudgedRun[]): Markup {
  if (first === undefined) return markup``;
  const { why, seed, startedAt, live } = first.run.header;
  const title = live ? 'A session of the live lab' : nameScenario(first.run.header);
  return markup`<header><p class="product">Holdfast · failover report</p><h1>${title}</h1><p class="why">${why}</p>
<p class="meta">seed ${seed} · <time datetime="${startedAt}">${startedAt.replace('T', ' ').replace(/\.\d+Z$/, ' UTC')}</time></p></header>`;
}

/** A mode that ran more than once has a column for each run. */
function matrixSection(runs: readonly JudgedRun[], names: readonly string[]): Markup {
  const isLive = runs.every(({ run }) => run.header.live);
  return markup`<section aria-labelledby="matrix"><h2 id="matrix">Side by side</h2>${isLive ? comparisonTable(runs) : matrixOfRuns(runs, names)}</section>`;
}

function comparisonTable(runs: readonly JudgedRun[]): Markup {
  const { columns, rows } = compare(runs);
  const head = columns.map((column, index) => markup`<th scope="col"><a href="#run-${index + 1}">${column}</a></th>`);
  const body = rows.map(({ label, cells }) => {
    const shown = cells.map(({ text, tone }) => markup`<td class="${tone === 'loss' ? 'loss' : ''}">${text}</td>`);
    return markup`<tr><th scope="row">${label}</th>${shown}</tr>`;
  });
  return scrollable(
    'Comparison',
    markup`<table class="comparison"><thead><tr><td></td>${head}</tr></thead><tbody>${body}</tbody></table>`,
  );
}

function matrixOfRuns(runs: readonly JudgedRun[], names: readonly string[]): Markup {
  const cells = runs.map((judged, index) => ({ ...matrixCell(judged), mode: names[index] ?? '' }));
  return matrixTable(matrixOf(cells), column => `#run-${column + 1}`);
}

function timelineSection(runs: readonly JudgedRun[], names: readonly string[], cases: readonly Cases[]): Markup {
  const timelines = timelinesOf(runs);
  const parts = runs.flatMap((judged, index) => {
    const timeline = timelines[index];
    const places = new Map(cases[index]?.incidents.map((incident, place) => [incident, place]));
    return timeline === undefined
      ? []
      : { name: names[index] ?? '', badge: badge(judged), timeline, placeOf: places.get.bind(places) };
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
