import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { commandLine } from '../../../shared/program-name.js';
import { findProgram, tools } from '../../../shared/tools.mjs';
import { LabError } from '../../errors.js';
import type { Janitor } from './janitor.js';
import { LastLines } from './last-lines.js';
import { signalFamily } from './process-family.js';
import type { SystemUser } from './process-member.js';

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
