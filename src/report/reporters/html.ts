import type { JudgedRun } from '../../simulator/verdict.js';
import { shareCursors } from '../browser/cursor.js';
import { labels } from '../comparison.js';
import type { Reporter } from '../reporter.js';
import { conditionsSection } from './html/conditions.js';
import { incidentsList } from './html/incidents.js';
import { type Markup, markup } from './html/markup.js';
import { noSessionSection } from './html/no-session.js';
import { page } from './html/page.js';
import { style } from './html/style.js';
import { timelineFigure } from './html/timeline-figure.js';
import { comparisonSection, expectationsTable, modeHeading, verdictSection } from './html/verdicts.js';

/** One file, whole in itself: drawn here, so that it can be read and printed without its script, which only moves the cursor. */
export const html: Reporter = runs => {
  const names = labels(runs);
  const body = markup`${pageHeader(runs)}
<main>
${verdictSection(runs)}
${comparisonSection(runs)}
${noSessionSection(runs)}
${runs.map((judged, index) => runSection(runs, judged, index, names[index] ?? ''))}
${conditionsSection(runs)}
</main>`;
  const scenario = runs[0]?.run.header.scenario ?? '';
  return page(`${scenario} – Holdfast`, style, `(${shareCursors.toString()})();`, body);
};

function pageHeader([first]: readonly JudgedRun[]): Markup {
  if (first === undefined) return markup``;
  const { scenario, why, seed, startedAt } = first.run.header;
  return markup`<header><p class="product">Holdfast · failover report</p><h1>${scenario}</h1><p class="why">${why}</p>
<p class="meta">seed ${seed} · <time datetime="${startedAt}">${startedAt.replace('T', ' ').replace(/\.\d+Z$/, ' UTC')}</time></p></header>`;
}

function runSection(runs: readonly JudgedRun[], judged: JudgedRun, index: number, name: string): Markup {
  return markup`<section aria-labelledby="run-${index + 1}">${modeHeading(runs, index)}
<h3>Timeline</h3>${timelineFigure(judged, name)}
<h3>Expectations</h3>${expectationsTable(judged)}
<h3>Incidents</h3>${incidentsList(judged)}
</section>
`;
}
