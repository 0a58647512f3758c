import type { CommandModule } from 'yargs';
import { readHistory } from '../simulator/history/file.js';
import { exitCodeOf, exiting } from './exit.js';
import { tellGitHub } from './github.js';
import { judgeRun } from './judge-run.js';
import { checkOutputs, printReport, writeOutputs } from './output.js';

interface ReportArgs {
  readonly history: string;
  readonly json: string | undefined;
  readonly html: string | undefined;
  readonly junit: string | undefined;
}

export const report: CommandModule<object, ReportArgs> = {
  command: 'report <history>',
  describe: 'check and judge a recorded history again',
  builder: yargs =>
    yargs
      .positional('history', { type: 'string', demandOption: true, describe: 'a history.ndjson that a run wrote' })
      .option('json', { type: 'string', requiresArg: true, describe: 'write the results as JSON (schema 1)' })
      .option('html', { type: 'string', requiresArg: true, describe: 'write the report as one HTML file' })
      .option('junit', { type: 'string', requiresArg: true, describe: 'write the expectations as JUnit XML, for CI' })
      .example('$0 report reports/kill-one/history.ndjson --html again.html', 'the same findings, from the file alone'),
  handler: exiting(again),
};

async function again({ history, json, html, junit }: ReportArgs): Promise<number> {
  const records = await readHistory(history);
  const scenario = records[0]?.header.scenario ?? '';
  await checkOutputs({ json, html, junit }, undefined, [scenario]);
  const runs = records.map(judgeRun);
  printReport(runs);
  await tellGitHub(runs);
  await writeOutputs({ json, html, junit }, scenario, runs);
  return exitCodeOf(runs.map(({ verdict }) => verdict.word));
}
