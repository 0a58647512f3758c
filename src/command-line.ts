import yargs, { type Argv, type CommandModule } from 'yargs';
import { exitCodes, failUsage, runOrExplain } from './commands/lib/exit.js';
import { checkCommand, checkFlags, checkKnown, checkOperands, flagsOf } from './commands/lib/flags.js';
import { commandLine, ownVersion, programName } from './shared/package.js';

// biome-ignore lint/suspicious/noExplicitAny: yargs' own type of a list of commands, each with other options.
type Command = CommandModule<object, any>;

/** The first word of a command line that the completion script of yargs sends. */
const askForCandidates = '--get-yargs-completions';

/** Commands are loaded on demand, because each needs other libraries. */
export const commands: Readonly<Record<string, () => Promise<Command>>> = {
  start: async () => (await import('./commands/start.js')).start,
  live: async () => (await import('./commands/live.js')).live,
  proxy: async () => (await import('./commands/proxy.js')).proxy,
  run: async () => (await import('./commands/run.js')).run,
  hunt: async () => (await import('./commands/hunt.js')).hunt,
  matrix: async () => (await import('./commands/matrix.js')).matrix,
  init: async () => (await import('./commands/init.js')).init,
  check: async () => (await import('./commands/check.js')).check,
  record: async () => (await import('./commands/record.js')).record,
  modes: async () => (await import('./commands/modes.js')).modes,
  load: async () => (await import('./commands/load.js')).load,
  attack: async () => (await import('./commands/attack.js')).attack,
  conformance: async () => (await import('./commands/conformance.js')).conformance,
  report: async () => (await import('./commands/report.js')).report,
  doctor: async () => (await import('./commands/doctor.js')).doctor,
  completion: async () => (await import('./commands/completion.js')).completion,
};

/** Runs one command line and sets `process.exitCode`. `program` is its name in help texts, `columns` is their width. */
export async function runCommandLine(
  words: readonly string[],
  program = programName(),
  columns = Math.min(110, process.stdout.columns ?? 100),
): Promise<void> {
  await runOrExplain(async () => {
    if (words[0] === askForCandidates) return printCandidates(words.slice(1));
    checkCommand(words, Object.keys(commands));
    const name = words.find(word => Object.hasOwn(commands, word));
    const load = commands[name ?? ''];
    const parser =
      name && load
        ? oneCommand(name, await load(), words)
        : words.join() === '--version'
          ? yargs([...words])
          : await allCommands(words);
    await parser
      .scriptName(program)
      // By itself yargs prints the version of the project that has installed the program.
      .version(ownVersion)
      .strict()
      // The texts of yargs must be English like our own, whatever the locale of the environment is.
      .locale('en')
      // Otherwise `--port.x=3` would make the port an object.
      .parserConfiguration({ 'dot-notation': false })
      .exitProcess(false)
      .fail((message, error) => failUsage(message, error, parser, words))
      .wrap(columns)
      .parseAsync();
  });
}

/** Prints what the last word can become. bash also gives the name of the program as the first word. */
async function printCandidates(words: readonly string[]): Promise<void> {
  const { listCandidates } = await import('./commands/completion.js');
  const names = Object.keys(commands);
  const [first = '', ...others] = words;
  const typed = others.length > 0 && !names.includes(first) ? others : words;
  const candidates = await listCandidates(typed, names, async name => {
    const { command = '', builder } = (await commands[name]?.()) ?? {};
    const built = yargs([]);
    if (typeof builder === 'function') await builder(built);
    return { usage: String(command), flags: flagsOf(built).known };
  });
  process.stdout.write(candidates.map(candidate => `${candidate}\n`).join(''));
}

/** Builds a parser with all commands, for a command line without a command and for `--help`. */
async function allCommands(words: readonly string[]): Promise<Argv> {
  const all = await Promise.all(Object.values(commands).map(load => load()));
  return yargs([...words])
    .usage('$0 <command>\n\nShows what happens to users’ sessions when a server dies.')
    .command(all)
    .demandCommand(1, `which command? For a first look: ${commandLine('start')}`)
    .epilogue(
      `Exit codes: ${exitCodes.ok} all expectations met · ${exitCodes.failed} one failed · ` +
        `${exitCodes.inconclusive} inconclusive · ${exitCodes.usage} bad usage or scenario · ` +
        `${exitCodes.lab} the lab failed · ${exitCodes.interrupted} interrupted`,
    );
}

/** Builds a parser with one command as the default command. For other commands yargs renders the help at every start,
 * which costs a tenth of a second of CPU. */
function oneCommand(name: string, command: Command, words: readonly string[]): Argv {
  const { builder, describe } = command;
  const asDefault: Command = {
    ...command,
    command: String(command.command).replace(name, '$0'),
    builder: own => {
      const built = typeof builder === 'function' ? builder(own) : own;
      if ('then' in built) throw new TypeError(`${name}: its flags must be there at once`);
      const flags = flagsOf(built);
      checkKnown(words, flags, commandLine(name, '--help'));
      checkFlags(words, flags);
      checkOperands(words, String(command.command));
      return built;
    },
  };
  return yargs(words.toSpliced(words.indexOf(name), 1))
    .usage(`$0 ${command.command}\n\n${describe}`)
    .command(asDefault);
}
