import type { JudgedRun } from '../../simulator/checker/verdict/verdict.js';
import { labels } from '../comparison.js';
import { listNotJudged, listWarnings } from '../judged-expectations.js';
import type { Reporter } from '../reporter.js';
import { sentence } from '../sentence.js';

/**
 * Workflow commands of GitHub Actions, one line per run that is no pass: an error for a fail, a warning for what is
 * inconclusive. Each expectation that is only a warning is a warning too, and each that was not judged is a notice.
 * Empty when all passed.
 */
export const annotations: Reporter = runs => {
  const names = labels(runs);
  return runs
    .flatMap((judged, index) => [annotation(judged, names[index] ?? ''), ...remarks(judged, names[index] ?? '')])
    .join('');
};

function annotation(judged: JudgedRun, label: string): string {
  const { run, verdict } = judged;
  if (verdict.word === 'pass') return '';
  const kind = verdict.word === 'fail' ? 'error' : 'warning';
  const title = `${run.header.scenario}, ${label}: ${verdict.word}`;
  return command(kind, title, [sentence(judged), ...verdict.reasons].join('\n'));
}

function remarks({ run, verdict, findings }: JudgedRun, label: string): string[] {
  const title = (what: string) => `${run.header.scenario}, ${label}: ${what}`;
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
