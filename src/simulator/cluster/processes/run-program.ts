import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { statSync } from 'node:fs';
import { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { Readable } from 'node:stream';
import { commandLine } from '../../../shared/package.js';
import { findProgram, tools } from '../../../shared/tools.mjs';
import { LabError } from '../../errors.js';
import type { Janitor } from './janitor.js';
import { groupRuns, signalFamily, signalGroup } from './process-family.js';

/** Finds programs, runs them to their end, and keeps the last lines that they print. */

/** Program that runs to its end, unlike a server. */
export interface ProgramRun {
  readonly command: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly directory: string;
  readonly user: SystemUser | undefined;
  /** Its standard input. Default: empty. */
  readonly input?: string;
}

export interface SystemUser {
  readonly uid: number;
  readonly gid: number;
}

/** Runs a program. Resolves when it ends with code 0. Otherwise rejects with `LabError` and its last lines. */
export type RunProgram = (run: ProgramRun) => Promise<void>;

/** Runs a program. It ends at the latest with `stop`, and with a janitor also when this process dies. */
export async function runProgram(run: ProgramRun, stop: AbortSignal, janitor?: Janitor): Promise<void> {
  const { command, args, env, directory, user, input = '' } = run;
  stop.throwIfAborted();
  const child = spawn(command, args, {
    ...user,
    cwd: directory,
    detached: true,
    stdio: 'pipe',
    env: { ...process.env, ...env },
  });
  // A program that ends before it reads its input reports an error of its own.
  child.stdin.on('error', () => undefined).end(input);
  const lastLines = new LastLines(10, [child.stdout, child.stderr]);
  const { pid } = child;
  const end = () => pid !== undefined && signalFamily(pid, 'SIGKILL');
  if (pid !== undefined) janitor?.watch('family', pid);
  stop.addEventListener('abort', end);
  const ending = await once(child, 'close').catch((error: Error) => [error.message]);
  stop.removeEventListener('abort', end);
  if (pid !== undefined) janitor?.forget('family', pid);
  if (ending[0] === 0) return;
  const how = ending.find(word => word !== null) ?? 'no code';
  throw new LabError(`${path.basename(command)} ended with ${how}.\n${lastLines.text('  | ')}  run as: ${command}`);
}

/** End of a command. */
export interface ShellEnd {
  /** True when it ended by itself with code 0. */
  readonly ok: boolean;
  /** True when it timed out. */
  readonly late: boolean;
  /** `ended with code 1`, `ended by SIGKILL`, `did not end within 5 s`. */
  readonly how: string;
  /** The last lines that it printed, errors too. */
  readonly said: string;
  /** The last lines of its standard output, up to the 200th. */
  readonly printed: string;
}

/** Runs a command of the user with `sh -c` in the current directory. Never rejects. On abort, or after `withinMs`, the
 * command and all processes that it started are killed. */
export type RunShell = (command: string, withinMs: number, signal: AbortSignal) => Promise<ShellEnd>;

const lastWordsWithinMs = 200;

export function runShell(command: string, withinMs: number, stop: AbortSignal, janitor: Janitor): Promise<ShellEnd> {
  const child = spawn('/bin/sh', ['-c', command], { detached: true, stdio: ['ignore', 'pipe', 'pipe'] });
  const lines = new LastLines(5, [child.stdout, child.stderr]);
  const printed = new LastLines(200, [child.stdout]);
  const { pid } = child;
  if (pid !== undefined) janitor.watch('group', pid);
  const kill = () => pid !== undefined && signalGroup(pid, 'SIGKILL');
  let late = false;
  const timer = setTimeout(() => {
    late = true;
    kill();
  }, withinMs);
  if (stop.aborted) kill();
  stop.addEventListener('abort', kill);
  return new Promise(resolve => {
    const settle = (code: number | null, signal: string | null) => {
      clearTimeout(timer);
      stop.removeEventListener('abort', kill);
      unrefStreams([child.stdout, child.stderr]);
      // Its background processes go on, and are killed with the lab.
      if (pid !== undefined && !groupRuns(pid)) janitor.forget('group', pid);
      const ended = code === null ? `ended by ${signal}` : `ended with code ${code}`;
      const how = late ? `did not end within ${withinMs / 1000} s` : ended;
      resolve({ ok: code === 0 && !late, late, how, said: lines.text(''), printed: printed.text('') });
    };
    child.once('error', error => settle(null, error.message));
    child.once('exit', (code, signal) => {
      // Its last lines can still be in the pipe. A background process could hold the pipe open for ever.
      const waited = setTimeout(() => settle(code, signal), lastWordsWithinMs);
      child.once('close', () => {
        clearTimeout(waited);
        settle(code, signal);
      });
    });
  });
}

/** Returns for example `ended with code 1, and said: no such container`. */
export function describeEnd({ how, said }: Pick<ShellEnd, 'how' | 'said'>): string {
  const words = joinLines(said);
  return words === '' ? how : `${how}, and said: ${words}`;
}

/** Returns the lines of an output as one line. */
export function joinLines(output: string): string {
  return output.trim().replaceAll(/\s*\n\s*/g, ' | ');
}

/** The program of each platform that opens an address in the browser of the user. */
const openers: Readonly<Partial<Record<NodeJS.Platform, string>>> = { darwin: 'open', linux: 'xdg-open' };

/** Opens an address in the browser of the user, which outlives this process. Returns the problem in words. */
export function openInBrowser(address: string): string | undefined {
  const name = openers[process.platform] ?? 'xdg-open';
  const program = findProgram([name]);
  if (program === undefined) return `no program ${name} on PATH`;
  const child = spawn(program, [address], { detached: true, stdio: 'ignore' });
  child.on('error', () => undefined);
  child.unref();
  return undefined;
}

/** Last lines that a process printed, for the message that says why it did not boot. */
export class LastLines {
  readonly #lines: string[] = [];
  readonly #linesMax: number;

  constructor(linesMax: number, streams: readonly Readable[]) {
    this.#linesMax = linesMax;
    for (const stream of streams) onLine(stream, line => this.#add(line));
  }

  /** Returns the lines, each after `prefix`. Empty when the process printed nothing. */
  text(prefix: string): string {
    return this.#lines.map(line => `${prefix}${line}\n`).join('');
  }

  #add(line: string): void {
    if (line.trim() === '') return;
    this.#lines.push(line.slice(0, 500));
    if (this.#lines.length > this.#linesMax) this.#lines.shift();
  }
}

/** Longest line that is kept. A process could print gigabytes without a line end. */
const lineCharactersMax = 10_000;

export function onLine(input: Readable, use: (line: string) => void): void {
  let begun = '';
  const end = () => {
    if (begun !== '') use(begun.replace(/\r$/, ''));
    begun = '';
  };
  input.setEncoding('utf8');
  input.on('data', (text: string) => {
    const [first = '', ...others] = text.split('\n');
    begun = (begun + first).slice(0, lineCharactersMax);
    for (const line of others) {
      end();
      begun = line.slice(0, lineCharactersMax);
    }
  });
  input.once('end', end);
}

/**
 * Keeps the output streams of an ended process from holding the event loop open. Processes that it left behind can keep
 * the streams open. They are still read.
 */
export function unrefStreams(streams: readonly Readable[]): void {
  for (const stream of streams) if (stream instanceof Socket) stream.unref();
}

/** Returns the absolute path of a tool of src/shared/tools.mjs. Throws `LabError` that says what to type without it. */
export function findTool(name: string): string {
  const [first = name, ...others] = tools[name]?.commands ?? [];
  const found = findProgram([first, ...others]);
  if (found !== undefined) return found;
  const also = others.length === 0 ? '' : ` (or ${others.join(' or ')})`;
  throw new LabError(`${first}${also} is missing on PATH. To install it, type: ${commandLine('doctor', '--install')}`);
}

/** Returns whether every user may enter or execute this path, all folders above it included. */
export function isOpenToAll(file: string): boolean {
  const folders = file.split(path.sep).map((_, at, parts) => parts.slice(0, at + 1).join(path.sep) || path.sep);
  return folders.every(each => ((statSync(each, { throwIfNoEntry: false })?.mode ?? 0) & 0o001) !== 0);
}

/**
 * Returns the folder for temporary folders: that of the system, except for root. Root runs some servers as another
 * user, because they refuse to run as root. That user could not enter a folder that is open to root only.
 */
export function findTemporaryBase(): string {
  const wanted = path.resolve(tmpdir());
  if (process.getuid?.() !== 0) return wanted;
  return [wanted, '/tmp', '/var/tmp'].find(isOpenToAll) ?? wanted;
}
