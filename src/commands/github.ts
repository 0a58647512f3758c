import { appendFile } from 'node:fs/promises';
import { reporters } from '../report/reporters/registry.js';
import type { JudgedRun } from '../simulator/checker/verdict.js';

/** On a runner of GitHub Actions: annotations for what is no pass, and the comparison in the summary of the step. */
export async function tellGitHub(runs: readonly JudgedRun[]): Promise<void> {
  const { GITHUB_ACTIONS, GITHUB_STEP_SUMMARY } = process.env;
  if (GITHUB_ACTIONS !== 'true') return;
  process.stdout.write(reporters.annotations.report(runs, { colour: false }));
  if (GITHUB_STEP_SUMMARY === undefined || GITHUB_STEP_SUMMARY === '') return;
  try {
    await appendFile(GITHUB_STEP_SUMMARY, reporters.markdown.report(runs, { colour: false }));
  } catch (error) {
    // The verdict counts, not where else it is shown.
    process.stderr.write(`GITHUB_STEP_SUMMARY cannot be written: ${error instanceof Error ? error.message : error}\n`);
  }
}
