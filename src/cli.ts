#!/usr/bin/env node
import yargs from 'yargs';
import { hideBin } from 'yargs/helpers';
import { failUsage } from './commands/exit.js';
import { load } from './commands/load.js';
import { proxy } from './commands/proxy.js';
import { report } from './commands/report.js';
import { run } from './commands/run.js';
import { start } from './commands/start.js';

await yargs(hideBin(process.argv))
  .scriptName('holdfast')
  .usage('$0 <command>\n\nShows what happens to users’ sessions when a server dies.')
  .command(start)
  .command(proxy)
  .command(run)
  .command(load)
  .command(report)
  .demandCommand(1, 'which command? For a first look: holdfast start')
  .strict()
  .recommendCommands()
  .parserConfiguration({ 'duplicate-arguments-array': true })
  .fail(failUsage)
  .epilogue(
    'Exit codes: 0 all expectations met · 1 one failed · 2 inconclusive · 3 bad usage or scenario · ' +
      '4 the lab failed · 130 interrupted',
  )
  .wrap(Math.min(110, process.stdout.columns ?? 100))
  .parseAsync();
