import type { JudgedRun } from '../../simulator/checker/verdict/verdict.js';
import { labelRuns } from '../comparison.js';
import { listNotJudged, listWarnings } from '../judged-expectations.js';
import type { Reporter } from '../reporter.js';
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
