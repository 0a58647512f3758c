import { type JudgedRun, type VerdictWord, warningsOf } from '../../simulator/checker/verdict.js';
import { sentence } from '../sentence.js';
import { counted } from '../words.js';
import { type Markup, markup } from './markup.js';

const signs: Record<VerdictWord, string> = { pass: '✓', fail: '✗', inconclusive: '?' };

export function badge(word: VerdictWord): Markup {
  return markup`<span class="badge ${word}"><span aria-hidden="true">${signs[word]}</span> ${word}</span>`;
}

/** What happened, one sentence per mode, with the reasons wherever it is not a pass, and with the warnings. */
export function verdictSection(runs: readonly JudgedRun[]): Markup {
  const items = runs.map(judged => {
    const { word, reasons } = judged.verdict;
    const lines = [...reasons, ...warningsOf(judged.verdict).map(warning => `Warning: ${warning}`)];
    const because =
      lines.length === 0 ? '' : markup`<ul class="reasons">${lines.map(line => markup`<li>${line}</li>`)}</ul>`;
    return markup`<li>${badge(word)}<div><p>${sentence(judged).replace(/ — \w+$/, '.')}</p>${because}${expectationsPart(judged)}</div></li>`;
  });
  return markup`<section aria-labelledby="verdicts"><h2 id="verdicts">What happened</h2><ul class="verdicts">${items}</ul>
<p class="meta">pass: all went as the scenario expects, and it may expect losses. inconclusive: too little was seen to say either.</p></section>
`;
}

/** Folded where all is as expected: the sentence has said it. */
function expectationsPart({ verdict: { expectations } }: JudgedRun): Markup {
  if (expectations.length === 0) return markup`<p class="meta">The scenario expects nothing of this mode.</p>`;
  const met = expectations.filter(expectation => expectation.met).length;
  const rows = expectations.map(
    ({ text, level, met, actual }) =>
      markup`<tr>${resultCell(met, level)}<td><code>${text}</code></td><td>${actual}</td></tr>`,
  );
  const head = markup`<tr><th scope="col">result</th><th scope="col">expected</th><th scope="col">measured</th></tr>`;
  const table = scrollable('Expectations', markup`<table><thead>${head}</thead><tbody>${rows}</tbody></table>`);
  const open = met === expectations.length ? markup`<details>` : markup`<details open>`;
  return markup`${open}<summary>${met} of ${counted(expectations.length, 'expectation')} met</summary>${table}</details>`;
}

function resultCell(met: boolean, level: 'warn' | undefined): Markup {
  if (met) return markup`<td class="pass">✓ met</td>`;
  return level === 'warn' ? markup`<td class="inconclusive">! warning</td>` : markup`<td class="fail">✗ not met</td>`;
}

/** A wide table scrolls by itself, by keyboard too, and the page does not. */
export function scrollable(name: string, table: Markup): Markup {
  return markup`<div class="scroll" role="region" aria-label="${name}" tabindex="0">${table}</div>`;
}
