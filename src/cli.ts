#!/usr/bin/env node
import yargs, { type CommandModule } from 'yargs';
import { hideBin } from 'yargs/helpers';
import { endWith, exitCodes, failUsage } from './commands/exit.js';
import { surviveClosedPipes } from './commands/streams.js';
import { checkWords } from './commands/words.js';

// biome-ignore lint/suspicious/noExplicitAny: yargs' own type of a list of commands, each with other options.
type Command = CommandModule<object, any>;

/** Loaded when asked for: each draws in libraries that the others do not need. */
const commands: Readonly<Record<string, () => Promise<Command>>> = {
  start: async () => (await import('./commands/start.js')).start,
  proxy: async () => (await import('./commands/proxy.js')).proxy,
  run: async () => (await import('./commands/run.js')).run,
  matrix: async () => (await import('./commands/matrix.js')).matrix,
  init: async () => (await import('./commands/init.js')).init,
  check: async () => (await import('./commands/check.js')).check,
  modes: async () => (await import('./commands/modes.js')).modes,
  load: async () => (await import('./commands/load.js')).load,
  attack: async () => (await import('./commands/attack.js')).attack,
  report: async () => (await import('./commands/report.js')).report,
};

surviveClosedPipes();
const args = hideBin(process.argv);
try {
  checkWords(args, Object.keys(commands));
} catch (error) {
  endWith(error);
}
const one = commands[args[0] ?? ''];
const loaded = await Promise.all((one === undefined ? Object.values(commands) : [one]).map(load => load()));

await yargs(args)
  .scriptName('holdfast')
  .usage('$0 <command>\n\nShows what happens to users’ sessions when a server dies.')
  .command(loaded)
  .demandCommand(1, 'which command? For a first look: holdfast start')
  .strict()
  .fail(failUsage)
  .epilogue(
    `Exit codes: ${exitCodes.ok} all expectations met · ${exitCodes.failed} one failed · ` +
      `${exitCodes.inconclusive} inconclusive · ${exitCodes.usage} bad usage or scenario · ` +
      `${exitCodes.lab} the lab failed · ${exitCodes.interrupted} interrupted`,
  )
  .wrap(Math.min(110, process.stdout.columns ?? 100))
  .parseAsync();
