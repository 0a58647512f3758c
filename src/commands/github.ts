import { appendFile } from 'node:fs/promises';
import { reporters } from '../report/reporters/registry.js';
import { describeLost, summarizeRepeats } from '../simulator/checker/repeats.js';
import type { JudgedRun } from '../simulator/checker/verdict.js';
import { chooseShown } from './output.js';

/** On a runner of GitHub Actions: annotations for what is no pass, and the comparison in the summary of the step. */
export async function tellGitHub(runs: readonly JudgedRun[]): Promise<void> {
  const { GITHUB_ACTIONS, GITHUB_STEP_SUMMARY } = process.env;
  if (GITHUB_ACTIONS !== 'true') return;
  process.stdout.write(reporters.annotations.report(runs, { colour: false }));
  if (GITHUB_STEP_SUMMARY === undefined || GITHUB_STEP_SUMMARY === '') return;
  try {
    await appendFile(GITHUB_STEP_SUMMARY, summaryOf(runs));
  } catch (error) {
    // The verdict counts, not where else it is shown.
    process.stderr.write(`GITHUB_STEP_SUMMARY cannot be written: ${error instanceof Error ? error.message : error}\n`);
  }
}

/** Returns the table of the shown runs, and a line for each mode that ran more than once. */
function summaryOf(runs: readonly JudgedRun[]): string {
  const shown = chooseShown(runs);
  const table = shown.length === 0 ? '' : reporters.markdown.report(shown, { colour: false });
  const repeats = summarizeRepeats(runs).map(each => `- ${each.mode}: ${describeLost(each)}\n`);
  return `${table}${repeats.join('')}`;
}
