import type { JudgedRun, VerdictWord } from '../simulator/checker/verdict.js';
import { worstOf } from './exit.js';

const summaries: Record<VerdictWord, (modes: string) => string> = {
  pass: () => 'pass: it went as the scenario expects, and in sticky it expects losses.',
  fail: modes =>
    `fail: in ${modes} it did not go as the scenario expects; above stands what was expected and measured.`,
  inconclusive: modes => `inconclusive: in ${modes} too little was seen to say either; the reason stands above.`,
};

const nextSteps = [
  'node dist/cli.js run scenarios/rolling-restart.yaml',
  'node dist/cli.js proxy --mode sticky     (click through it, and kill what you like)',
];

/** The last words of the first look: how it went, from the verdicts themselves, where to read on, what to type next. */
export function closing(runs: readonly JudgedRun[], report: string): string {
  const word = worstOf(runs.map(({ verdict }) => verdict.word));
  const modes = runs.filter(({ verdict }) => verdict.word === word).map(({ run }) => run.header.mode);
  const isEvery = modes.length === runs.length;
  const only = isEvery ? '' : ` --mode ${modes.join(',')}`;
  const again = `node dist/cli.js run scenarios/kill-one.yaml${only}     (on a machine with nothing else to do)`;
  const [next = '', ...more] = word === 'pass' ? nextSteps : [again];
  const lines = [summaries[word](isEvery ? 'every mode' : modes.join(', ')), `report: ${report}`, `next: ${next}`];
  return [...lines, ...more.map(step => `      ${step}`)].map(line => `${line}\n`).join('');
}
