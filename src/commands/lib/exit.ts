import { setTimeout as delay } from 'node:timers/promises';
import type { Argv } from 'yargs';
import { RecordingError } from '../../record/recording.js';
import { commandLine } from '../../shared/package.js';
import { worstOf } from '../../shared/worst-verdict.js';
import type { VerdictWord } from '../../simulator/checker/verdict/verdict.js';
import { killNow } from '../../simulator/cluster/processes/janitor.js';
import { HistoryFileError, Interrupted, LabError, ScenarioError } from '../../simulator/errors.js';
import { describeUnknownFlag, flagsOf, UsageError } from './flags.js';
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
export function describeUsageProblem(message: string, known: readonly string[], words: readonly string[]): string {
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
  const sentence = describeUsageProblem(message ?? 'bad usage.', flagsOf(parser).known, words);
  process.stderr.write(`${errorColours().red('holdfast:')} ${sentence} See: ${help}\n`);
  throw new ReportedError(message ?? '');
}

const stopSignals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/**
 * A second signal within this time is the same key press: the terminal signals the process group, and npm does so too.
 */
const oneKeyPressMs = 200;

/** Time between two looks at the parent. */
const parentLookMs = 500;

/** Sets what a command itself does at a signal. */
export type TakeOver = (name: NodeJS.Signals, own: () => void) => void;

/**
 * Runs `work` with a signal that aborts at the first Ctrl-C, SIGTERM or SIGHUP, so that it can heal and stop in order.
 * The reason is the name of the signal. `takeOver` lets `work` handle a signal by itself. A second Ctrl-C kills the
 * command and all its processes at once. After `letGo`, any signal ends the command at once, even while it computes: call
 * it when no process is left.
 */
export async function runInterruptibly<T>(
  work: (signal: AbortSignal, takeOver: TakeOver, letGo: () => Promise<void>) => Promise<T>,
  notice = 'stopping: healing and ending every process (Ctrl-C again: at once)',
): Promise<T> {
  const controller = new AbortController();
  let firstMs = Number.NEGATIVE_INFINITY;
  const onSignal = (name: NodeJS.Signals) => {
    if (performance.now() - firstMs < oneKeyPressMs) return;
    if (controller.signal.aborted) leaveAtOnce();
    firstMs = performance.now();
    if (name === 'SIGINT') process.stderr.write(`\n${notice}\n`);
    controller.abort(name);
  };
  const listeners = new Map<NodeJS.Signals, (name: NodeJS.Signals) => void>();
  const listen = (name: NodeJS.Signals, listener: (name: NodeJS.Signals) => void) => {
    // Add first, then remove: while there is no listener, the signal would end the process.
    process.on(name, listener);
    process.off(name, listeners.get(name) ?? (() => {}));
    listeners.set(name, listener);
  };
  const stopListening = () => {
    for (const [name, listener] of listeners) process.off(name, listener);
  };
  // Without a listener the kernel ends the process. A listener would wait until the computation is over.
  const letGo = async () => {
    await delay(Math.max(0, firstMs + oneKeyPressMs - performance.now()));
    stopListening();
  };
  for (const name of stopSignals) listen(name, onSignal);
  const watch = watchNpx();
  try {
    return await work(controller.signal, listen, letGo);
  } finally {
    clearInterval(watch);
    stopListening();
  }
}

/**
 * Sends this process SIGTERM when the shell of `npx holdfast` is gone. npm runs the command in a shell and passes SIGTERM
 * to that shell only. Many shells then end and pass nothing on. Returns undefined if npx did not start this process: any
 * other process may outlive its parent, such as a proxy in the background.
 */
function watchNpx(): NodeJS.Timeout | undefined {
  const { npm_lifecycle_event: event, npm_lifecycle_script: script = '' } = process.env;
  if (event !== 'npx' || !/^'?holdfast'?$/.test(script)) return undefined;
  // The processes that this one starts have another parent. One of them may replace this one, after SIGUSR2.
  delete process.env.npm_lifecycle_script;
  const shell = process.ppid;
  const watch = setInterval(() => {
    if (process.ppid === shell) return;
    clearInterval(watch);
    process.kill(process.pid, 'SIGTERM');
  }, parentLookMs);
  return watch.unref();
}

function leaveAtOnce(): never {
  killNow();
  process.exit(exitCodes.interrupted);
}
