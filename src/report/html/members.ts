import type { JudgedRun } from '../../simulator/checker/verdict.js';
import { labels } from '../comparison.js';
import { memberNames, troublesOf } from '../member-words.js';
import { count } from '../words.js';
import { type Markup, markup } from './markup.js';
import { scrollable } from './verdicts.js';

/** Renders how many good answers each backend (and each of several proxies) gave, and which of them had trouble. */
export function membersSection(runs: readonly JudgedRun[]): Markup | string {
  const names = [...new Set(runs.flatMap(({ findings }) => memberNames(findings.members)))];
  if (names.length === 0) return '';
  const head = labels(runs).map(label => markup`<th scope="col">${label}</th>`);
  const rows = names.map(
    name => markup`<tr><th scope="row">${name}</th>${runs.map(judged => memberCell(judged, name))}</tr>`,
  );
  const table = markup`<table class="comparison"><thead><tr><td></td>${head}</tr></thead><tbody>${rows}</tbody></table>`;
  return markup`<section aria-labelledby="members"><h2 id="members">Answers by member</h2>${scrollable('Answers by member', table)}
<p class="meta">Good answers to users. Ejected: the process lives, and the proxy sends it nothing. Idle: it answered no user after the healing, although users without a backend arrived.</p></section>
`;
}

function memberCell({ findings: { members } }: JudgedRun, name: string): Markup {
  const answered = members.answered[name];
  const tone = members.notBack.includes(name) ? 'fail' : 'inconclusive';
  const troubles = troublesOf(members, name).map(trouble => markup`<br><b class="${tone}">${trouble}</b>`);
  return markup`<td>${answered === undefined ? '–' : count(answered)}${troubles}</td>`;
}
