import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { accessSync, constants, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { LabError } from '../../errors.js';
import type { Janitor } from './janitor.js';
import { LastLines } from './last-lines.js';
import { signalFamily } from './process-family.js';
import type { SystemUser } from './process-member.js';

/** A program that does something and ends. */
export interface ProgramRun {
  readonly command: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly directory: string;
  readonly user: SystemUser | undefined;
  /** What it reads; nothing when absent. */
  readonly input?: string;
}

/** Resolves when it ended well; rejects with `LabError` and its last words when not, or when it was stopped. */
export type RunProgram = (run: ProgramRun) => Promise<void>;

/** Runs it as guarded as a member of the lab: it outlives neither `stop` nor, with a janitor, this process. */
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
  // One that ends without reading it says itself how it ended.
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

/** The absolute path of the first of these programs that PATH holds. */
export function findProgram(names: readonly string[], pathVariable = process.env.PATH ?? ''): string | undefined {
  const folders = pathVariable.split(path.delimiter).filter(folder => folder !== '');
  return names.flatMap(name => folders.map(folder => path.join(folder, name))).find(isExecutable);
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** Whether everybody may use what lies there, the folders above it included. */
export function isOpenToAll(file: string): boolean {
  const folders = file.split(path.sep).map((_, at, parts) => parts.slice(0, at + 1).join(path.sep) || path.sep);
  return folders.every(each => ((statSync(each, { throwIfNoEntry: false })?.mode ?? 0) & 0o001) !== 0);
}

/**
 * Where temporary folders are made: as the system says, but for root. A server that refuses to be root is run as somebody
 * else, who must be able to get in; then a folder of root's own is no place.
 */
export function temporaryBase(): string {
  const wanted = path.resolve(tmpdir());
  if (process.getuid?.() !== 0) return wanted;
  return [wanted, '/tmp', '/var/tmp'].find(isOpenToAll) ?? wanted;
}
