import type { JudgedRun, VerdictWord } from '../simulator/checker/verdict.js';
import { worstOf } from './exit.js';

const summaries: Record<VerdictWord, (modes: string) => string> = {
  pass: () => 'pass: every mode did what the scenario expects. What sticky lost was lost, as expected.',
  fail: modes =>
    `fail: ${modes} did not do what the scenario expects. The lines above say what was expected and measured.`,
  inconclusive: modes => `inconclusive: ${modes} showed too little for a verdict. The lines above say why.`,
};

const nextSteps = [
  'node dist/cli.js run scenarios/rolling-restart.yaml',
  'node dist/cli.js proxy --mode sticky     (use the shop in a browser, and kill a backend yourself)',
];

/** The last lines of the first look: the verdict in one sentence, where the report is, what to type next. */
export function closing(runs: readonly JudgedRun[], report: string): string {
  const word = worstOf(runs.map(({ verdict }) => verdict.word));
  const modes = runs.filter(({ verdict }) => verdict.word === word).map(({ run }) => run.header.mode);
  const isEvery = modes.length === runs.length;
  const only = isEvery ? '' : ` --mode ${modes.join(',')}`;
  const again = `node dist/cli.js run scenarios/kill-one.yaml${only}     (while the machine does nothing else)`;
  const [next = '', ...more] = word === 'pass' ? nextSteps : [again];
  const lines = [summaries[word](isEvery ? 'every mode' : modes.join(', ')), `report: ${report}`, `next: ${next}`];
  return [...lines, ...more.map(step => `      ${step}`)].map(line => `${line}\n`).join('');
}
