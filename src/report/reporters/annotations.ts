import type { JudgedRun } from '../../simulator/verdict.js';
import { labels } from '../comparison.js';
import type { Reporter } from '../reporter.js';
import { sentence } from '../sentence.js';

/**
 * Workflow commands of GitHub Actions, one line per run that is no pass: an error for a fail, a warning for what is
 * inconclusive. Empty when all passed.
 */
export const annotations: Reporter = runs => {
  const names = labels(runs);
  return runs.map((judged, index) => annotation(judged, names[index] ?? '')).join('');
};

function annotation(judged: JudgedRun, label: string): string {
  const { run, verdict } = judged;
  if (verdict.word === 'pass') return '';
  const kind = verdict.word === 'fail' ? 'error' : 'warning';
  const title = `${run.header.scenario}, ${label}: ${verdict.word}`;
  return `::${kind} title=${property(title)}::${data([sentence(judged), ...verdict.reasons].join('\n'))}\n`;
}

function data(text: string): string {
  return text.replaceAll('%', '%25').replaceAll('\r', '%0D').replaceAll('\n', '%0A');
}

function property(text: string): string {
  return data(text).replaceAll(':', '%3A').replaceAll(',', '%2C');
}
