import type { JudgedRun } from '../../simulator/checker/verdict/verdict.js';
import { compare, labelRuns } from '../comparison.js';
import { describeRecovery, listNotJudged, listWarnings } from '../judged-run.js';
import { outputsOf, type Reporter, renderOutputs } from '../reporter.js';
import { describeRun, nameScenario } from '../sentence.js';

/**
 * Renders workflow commands of GitHub Actions, one per run that did not pass: an error for a fail, a warning for an
 * inconclusive run. Each warning of a run is a warning too. Each expectation that was not judged is a notice. The text
 * is empty when all runs passed.
 */
export const annotations: Reporter = runs => {
  const names = labelRuns(runs);
  return runs
    .flatMap((judged, index) => [annotation(judged, names[index] ?? ''), ...remarks(judged, names[index] ?? '')])
    .join('');
};

function annotation(judged: JudgedRun, label: string): string {
  const { run, verdict } = judged;
  if (verdict.word === 'pass') return '';
  const kind = verdict.word === 'fail' ? 'error' : 'warning';
  const title = `${nameScenario(run.header)}, ${label}: ${verdict.word}`;
  return command(kind, title, [describeRun(judged), ...verdict.reasons].join('\n'));
}

function remarks({ run, verdict, findings }: JudgedRun, label: string): string[] {
  const title = (what: string) => `${nameScenario(run.header)}, ${label}: ${what}`;
  return [
    ...listWarnings({ verdict, findings }).map(text => command('warning', title('warning'), text)),
    ...listNotJudged(verdict).map(text => command('notice', title('not judged'), text)),
  ];
}

function command(kind: 'error' | 'warning' | 'notice', title: string, message: string): string {
  return `::${kind} title=${property(title)}::${data(message)}\n`;
}

function data(text: string): string {
  return text.replaceAll('%', '%25').replaceAll('\r', '%0D').replaceAll('\n', '%0A');
}

function property(text: string): string {
  return data(text).replaceAll(':', '%3A').replaceAll(',', '%2C');
}

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

/** Renders the worst verdict and the sums over all runs, as outputs of a step of GitHub Actions. */
export const outputs: Reporter = runs => renderOutputs(outputsOf(runs));
