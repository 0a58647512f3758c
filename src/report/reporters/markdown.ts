import type { JudgedRun } from '../../simulator/checker/verdict/verdict.js';
import { compare } from '../comparison.js';
import { listNotJudged, listWarnings } from '../judged-expectations.js';
import { describeRecovery } from '../recovery-words.js';
import type { Reporter } from '../reporter.js';
import { nameScenario } from '../sentence.js';

/** Renders the comparison as a Markdown table for the step summary of GitHub. The reasons, the warnings, and the
 * expectations that were not judged follow. */
export const markdown: Reporter = runs => {
  const [first] = runs;
  const { columns, rows } = compare(runs);
  const line = (cells: readonly string[]) => `| ${cells.map(escapeMarkdown).join(' | ')} |`;
  return [
    `### ${escapeMarkdown(first === undefined ? '' : nameScenario(first.run.header))}, seed ${first?.run.header.seed}`,
    '',
    line(['', ...columns]),
    `|${'---|'.repeat(columns.length + 1)}`,
    ...rows.map(({ label, cells }) =>
      line([label, ...cells.map(({ text, note }) => (note === undefined ? text : `${text}, ${note}`))]),
    ),
    '',
    ...runs.flatMap((judged, index) => reasonsOf(judged, columns[index] ?? '')),
    '',
  ].join('\n');
};

function reasonsOf(judged: JudgedRun, column: string): string[] {
  const { verdict, findings } = judged;
  const reasons = verdict.word === 'pass' ? [] : verdict.reasons;
  const warnings = listWarnings(judged).map(warning => `warning: ${warning}`);
  const recovery = findings.recovery === 'not recovered' ? [describeRecovery(judged)] : [];
  const lines = [...reasons, ...recovery, ...warnings, ...listNotJudged(verdict)];
  return lines.map(line => `- ${escapeMarkdown(`${column}: ${line}`)}`);
}

/** Escapes text from answers and scenario files, so that it cannot become markup. */
function escapeMarkdown(text: string): string {
  return text.replaceAll(/\s+/g, ' ').replaceAll(/[\\`*_{}[\]<>()#|&~]/g, character => `&#${character.charCodeAt(0)};`);
}
