import type { Argv } from 'yargs';
import { RecordingError } from '../../record/errors.js';
import { commandLine } from '../../shared/program-name.js';
import { worstOf } from '../../shared/worst-verdict.js';
import type { VerdictWord } from '../../simulator/checker/verdict/verdict.js';
import { HistoryFileError, Interrupted, LabError, ScenarioError } from '../../simulator/errors.js';
import { UsageError } from './errors.js';
import { describeUnknownFlag, flagsOf } from './flags.js';
import { errorColours } from './streams.js';

/** Exit codes. Scripts and CI rely on them. */
export const exitCodes = { ok: 0, failed: 1, inconclusive: 2, usage: 3, lab: 4, interrupted: 130 } as const;

export function exitCodeOf(verdicts: readonly VerdictWord[]): number {
  return { pass: exitCodes.ok, fail: exitCodes.failed, inconclusive: exitCodes.inconclusive }[worstOf(verdicts)];
}

/** Turns a command that returns its exit code into a yargs handler. An error becomes a message and an exit code. */
export function toHandler<Args>(command: (args: Args) => Promise<number>): (args: Args) => Promise<void> {
  return async args => {
    try {
      process.exitCode = await command(args);
    } catch (error) {
      process.exitCode = explain(error);
    }
  };
}

/**
 * Ends the process, after everything is healed, stopped and written. It flushes stdout and stderr first. It does not
 * wait for aborted work that still waits for an answer. Without this call Node would exit when idle, and that sometimes
 * waits forever for a compiler thread (nodejs/node#54918).
 */
export async function flushAndExit(): Promise<never> {
  await Promise.all([process.stdout, process.stderr].map(waitUntilFlushed));
  process.exit();
}

/** Waits until the stream is flushed: writes to a pipe are asynchronous. */
function waitUntilFlushed(stream: NodeJS.WriteStream): Promise<void> {
  return new Promise(resolve => {
    if (stream.writable) stream.write('', () => resolve());
    else resolve();
  });
}

/** Runs `work` and sets the exit code for an error outside a command, such as an unknown flag. */
export async function runOrExplain(work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    process.exitCode = error instanceof ReportedError ? exitCodes.usage : explain(error);
  }
}

/** A wrong command line about which the user has already been told. */
class ReportedError extends Error {}

function explain(error: unknown): number {
  if (error instanceof Interrupted) return exitCodes.interrupted;
  const code = codeOfError(error);
  const expected = error instanceof Error && code !== undefined;
  process.stderr.write(`${errorColours().red('holdfast:')} ${expected ? error.message : stackOf(error)}\n`);
  return code ?? exitCodes.lab;
}

function codeOfError(error: unknown): number | undefined {
  if ([UsageError, ScenarioError, HistoryFileError, RecordingError].some(kind => error instanceof kind))
    return exitCodes.usage;
  if (error instanceof LabError || (error instanceof Error && 'syscall' in error)) return exitCodes.lab;
  return undefined;
}

/** Returns the stack of an unexpected error. Such an error is a bug of Holdfast, and the stack helps to fix it. */
function stackOf(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}

/** Rewrites a message of yargs so that it says what was expected. `words` are the words of the command line. */
export function usageSentence(message: string, known: readonly string[], words: readonly string[]): string {
  const bare = /^Not enough arguments following: ([\w-]+)$/.exec(message)?.[1];
  if (bare !== undefined) return `--${bare} needs a value.`;
  const [, flag, given, choices] =
    /^Invalid values:\s+Argument: ([\w-]+), Given: (.*), Choices: (.*)$/.exec(message) ?? [];
  if (flag !== undefined) return `--${flag} ${given}: expected one of ${choices}.`;
  const unknown = /^Unknown arguments?: (.*)$/.exec(message)?.[1];
  // yargs names each flag with a dash twice: as typed and in camel case.
  const typed = unknown
    ?.split(', ')
    .filter((name, index, all) => index === 0 || !all.some(other => isSame(other, name)));
  if (typed === undefined) return message.endsWith('.') || message.endsWith('?') ? message : `${message}.`;
  return typed
    .map(name => (words.includes(name) ? describeExtraWord(name) : describeUnknownFlag(name, known)))
    .join(' ');
}

/** Describes a word without a flag: often a second value of a flag, or a value for a switch. */
function describeExtraWord(word: string): string {
  return `"${word}" belongs to no flag: repeat the flag before each of its values, and give a switch no value.`;
}

function isSame(kebab: string, camel: string): boolean {
  return kebab !== camel && kebab.replaceAll(/-(\w)/g, (_, letter: string) => letter.toUpperCase()) === camel;
}

/** Handles an unknown or missing flag or command for yargs. It throws, because otherwise yargs would continue. */
export function failUsage(
  message: string | null,
  error: Error | undefined,
  parser: Argv,
  words: readonly string[],
): never {
  const [command] = words;
  if (message === null && error !== undefined) throw error;
  const isCommand = command !== undefined && !command.startsWith('-');
  const help = commandLine(...(isCommand ? [command] : []), '--help');
  if (command === undefined) parser.showHelp('error');
  const sentence = usageSentence(message ?? 'bad usage.', flagsOf(parser).known, words);
  process.stderr.write(`${errorColours().red('holdfast:')} ${sentence} See: ${help}\n`);
  throw new ReportedError(message ?? '');
}
