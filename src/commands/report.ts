import type { CommandModule } from 'yargs';
import { outputsOf } from '../report/reporter.js';
import { judgeLongRun } from '../simulator/checker/judge-run.js';
import type { JudgedRun } from '../simulator/checker/verdict/verdict.js';
import { openHistory } from '../simulator/history/open-history.js';
import { exitCodeOf, toHandler } from './lib/exit.js';
import { checkOutputs, printRuns, tellGitHub, writeOutputs, writeStepOutputs } from './lib/output.js';
import { historiesIn, notesOf } from './lib/run-folder.js';

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
      .positional('history', {
        type: 'string',
        demandOption: true,
        describe: 'a history.ndjson that a run wrote, or the folder of that run',
      })
      .option('json', { type: 'string', requiresArg: true, describe: 'write the results as JSON (schema 1)' })
      .option('html', { type: 'string', requiresArg: true, describe: 'write the report as one HTML file' })
      .option('junit', { type: 'string', requiresArg: true, describe: 'write the expectations as JUnit XML, for CI' })
      .example('$0 report reports/kill-one/latest', 'the newest run of kill-one, judged again')
      .example('$0 report history.ndjson --html again.html', 'the same findings, from the file alone'),
  handler: toHandler(judgeAgain),
};

async function judgeAgain({ history, json, html, junit }: ReportArgs): Promise<number> {
  const records = (await Promise.all((await historiesIn(history)).map(file => openHistory(file)))).flat();
  const scenario = records[0]?.header.scenario ?? '';
  await checkOutputs({ json, html, junit }, undefined, [scenario]);
  const runs: JudgedRun[] = [];
  // One after the other: each check uses all processors and much memory.
  for (const record of records) runs.push(await judgeLongRun(record));
  const notes = notesOf(runs);
  printRuns(runs, notes);
  await tellGitHub(runs);
  await writeOutputs({ json, html, junit }, scenario, runs, notes);
  const outputs = outputsOf(runs);
  await writeStepOutputs(outputs);
  return exitCodeOf(outputs.verdicts);
}
