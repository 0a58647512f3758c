import { type JudgedRun, warningsOf } from '../../simulator/checker/verdict.js';
import { labels } from '../comparison.js';
import type { Reporter } from '../reporter.js';
import { sentence } from '../sentence.js';

/**
 * Workflow commands of GitHub Actions, one line per run that is no pass: an error for a fail, a warning for what is
 * inconclusive. A warning for each expectation that is no more than that, too. Empty when all passed.
 */
export const annotations: Reporter = runs => {
  const names = labels(runs);
  return runs
    .flatMap((judged, index) => [annotation(judged, names[index] ?? ''), ...warnings(judged, names[index] ?? '')])
    .join('');
};

function annotation(judged: JudgedRun, label: string): string {
  const { run, verdict } = judged;
  if (verdict.word === 'pass') return '';
  const kind = verdict.word === 'fail' ? 'error' : 'warning';
  const title = `${run.header.scenario}, ${label}: ${verdict.word}`;
  return command(kind, title, [sentence(judged), ...verdict.reasons].join('\n'));
}

function warnings({ run, verdict }: JudgedRun, label: string): string[] {
  const title = `${run.header.scenario}, ${label}: warning`;
  return warningsOf(verdict).map(text => command('warning', title, text));
}

function command(kind: 'error' | 'warning', title: string, message: string): string {
  return `::${kind} title=${property(title)}::${data(message)}\n`;
}

function data(text: string): string {
  return text.replaceAll('%', '%25').replaceAll('\r', '%0D').replaceAll('\n', '%0A');
}

function property(text: string): string {
  return data(text).replaceAll(':', '%3A').replaceAll(',', '%2C');
}
