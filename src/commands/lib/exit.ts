import type { Argv } from 'yargs';
import { nearest } from '../../shared/unknown-name.js';
import type { VerdictWord } from '../../simulator/checker/verdict/verdict.js';
import { HistoryFileError, Interrupted, LabError, ScenarioError } from '../../simulator/errors.js';
import { UsageError } from './errors.js';
import { flagsOf } from './flags.js';
import { errorColours } from './streams.js';

/** Exit codes: a contract with scripts and CI. */
export const exitCodes = { ok: 0, failed: 1, inconclusive: 2, usage: 3, lab: 4, interrupted: 130 } as const;

/** One failed expectation weighs more than an inconclusive run: it was seen, the other was not. Nothing is no pass. */
export function worstOf(verdicts: readonly VerdictWord[]): VerdictWord {
  if (verdicts.includes('fail')) return 'fail';
  return verdicts.includes('inconclusive') || verdicts.length === 0 ? 'inconclusive' : 'pass';
}

export function exitCodeOf(verdicts: readonly VerdictWord[]): number {
  return { pass: exitCodes.ok, fail: exitCodes.failed, inconclusive: exitCodes.inconclusive }[worstOf(verdicts)];
}

/** Turns a command that answers with its exit code into a yargs handler; what it throws becomes a sentence and a code. */
export function exiting<Args>(command: (args: Args) => Promise<number>): (args: Args) => Promise<void> {
  return async args => {
    try {
      process.exitCode = await command(args);
    } catch (error) {
      process.exitCode = explain(error);
    }
  };
}

/**
 * The last step of every command, once all is healed, stopped and written: what was said is out, and then it is over.
 * Work that was aborted may still wait for an answer; this does not wait for it. Node's own end, when
 * nothing is left to do, now and then waits for ever for a thread of the compiler (nodejs/node#54918).
 */
export async function leave(): Promise<never> {
  await Promise.all([process.stdout, process.stderr].map(flushed));
  process.exit();
}

/** What goes into a pipe is written later. */
function flushed(stream: NodeJS.WriteStream): Promise<void> {
  return new Promise(resolve => {
    if (stream.writable) stream.write('', () => resolve());
    else resolve();
  });
}

/** Sets the exit code for an error before there is a command, or instead of one. */
export async function ending(work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    process.exitCode = error instanceof SaidAlready ? exitCodes.usage : explain(error);
  }
}

/** The command line is wrong, and the user knows. */
class SaidAlready extends Error {}

function explain(error: unknown): number {
  if (error instanceof Interrupted) return exitCodes.interrupted;
  const code = codeOfError(error);
  const expected = error instanceof Error && code !== undefined;
  process.stderr.write(`${errorColours().red('holdfast:')} ${expected ? error.message : stackOf(error)}\n`);
  return code ?? exitCodes.lab;
}

function codeOfError(error: unknown): number | undefined {
  if ([UsageError, ScenarioError, HistoryFileError].some(kind => error instanceof kind)) return exitCodes.usage;
  if (error instanceof LabError || (error instanceof Error && 'syscall' in error)) return exitCodes.lab;
  return undefined;
}

/** Anything else is a defect of Holdfast itself: the stack helps to mend it. */
function stackOf(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}

/** What yargs says, with what was expected. `words`: what was typed. */
export function usageSentence(message: string, known: readonly string[], words: readonly string[]): string {
  const bare = /^Not enough arguments following: ([\w-]+)$/.exec(message)?.[1];
  if (bare !== undefined) return `--${bare} needs a value.`;
  const [, flag, given, choices] =
    /^Invalid values:\s+Argument: ([\w-]+), Given: (.*), Choices: (.*)$/.exec(message) ?? [];
  if (flag !== undefined) return `--${flag} ${given}: expected one of ${choices}.`;
  const unknown = /^Unknown arguments?: (.*)$/.exec(message)?.[1];
  // Each with a dash in it is named twice, as it was typed and as code would spell it.
  const typed = unknown
    ?.split(', ')
    .filter((name, index, all) => index === 0 || !all.some(other => isSame(other, name)));
  if (typed === undefined) return message.endsWith('.') || message.endsWith('?') ? message : `${message}.`;
  return typed.map(name => (words.includes(name) ? oneTooMany(name) : unknownFlag(name, known))).join(' ');
}

/** Often the second value of a flag that takes one, or what was meant to be the value of a switch. */
function oneTooMany(word: string): string {
  return `"${word}" belongs to no flag: a flag that may be repeated stands before each of its values, a switch takes none.`;
}

function isSame(kebab: string, camel: string): boolean {
  return kebab !== camel && kebab.replaceAll(/-(\w)/g, (_, letter: string) => letter.toUpperCase()) === camel;
}

function unknownFlag(name: string, known: readonly string[]): string {
  const meant = nearest(name, known);
  return `unknown flag --${name}.${meant === undefined ? '' : ` Did you mean --${meant}?`}`;
}

/** What yargs calls for an unknown flag or command, or a missing one. Throws, for yargs would go on. */
export function failUsage(
  message: string | null,
  error: Error | undefined,
  parser: Argv,
  words: readonly string[],
): never {
  const [command] = words;
  if (message === null && error !== undefined) throw error;
  const help = command === undefined || command.startsWith('-') ? 'holdfast --help' : `holdfast ${command} --help`;
  if (command === undefined) parser.showHelp('error');
  const sentence = usageSentence(message ?? 'bad usage.', flagsOf(parser).known, words);
  process.stderr.write(`${errorColours().red('holdfast:')} ${sentence} See: ${help}\n`);
  throw new SaidAlready(message ?? '');
}
