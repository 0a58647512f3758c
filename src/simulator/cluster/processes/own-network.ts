import { execFile, spawn } from 'node:child_process';
import { readlinkSync } from 'node:fs';
import { constants } from 'node:os';
import { promisify } from 'node:util';
import { commandLine } from '../../../shared/package.js';
import { findProgram, systemPath } from '../../../shared/tools.mjs';
import { restoreCommand, rulesFor } from './packet-filter.js';

/**
 * A network of the lab's own: a network namespace of Linux with nothing but loopback. Rules of the packet filter there
 * touch no other program. A process cannot move into another namespace, so the command runs again as a child:
 *
 *     holdfast run … --> unshare (new namespace) --> sh (loopback up) --> setpriv --> holdfast run …
 *
 * The child has the terminal, the files and the arguments of its parent. The parent passes on signals and exits with the
 * code of the child.
 */

/** Environment variable with the network namespace of the parent. */
const outerVariable = 'HOLDFAST_OUTER_NETWORK';
const probeWithinMs = 5_000;
const forwarded = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

const programs = ['unshare', 'setpriv', 'ip', 'iptables-restore'] as const;

const cannot = 'no packet can be lost, because the lab cannot have a network of its own';

/** Returns whether this process runs in a network of its own. */
export function isInOwnNetwork(): boolean {
  const outer = process.env[outerVariable];
  return outer !== undefined && outer !== findNamespace();
}

/** Says why this command cannot run in a network of its own; undefined when it can or does. Tries it with all kinds of
 * rules, because a kernel can lack one of them. Bounded in time. */
export async function explainNoOwnNetwork(): Promise<string | undefined> {
  if (isInOwnNetwork()) return undefined;
  if (findNamespace() === undefined) return `${cannot}: this system is not Linux`;
  const missing = programs.find(program => findProgram([program]) === undefined);
  if (missing !== undefined)
    return `${cannot}: the program ${missing} is missing (type: ${commandLine('doctor', '--install', missing)})`;
  const rules = [{ lostPercent: 50 }, { lostPercent: 100 }, 'refuse'] as const;
  const probe = restoreCommand(rules.flatMap((rule, index) => rulesFor(`probe-${index}`, 1, rule)));
  const { command, args, env } = ownNetworkCommand(['sh', '-c', probe]);
  return promisify(execFile)(command, args, { timeout: probeWithinMs, env }).then(
    () => undefined,
    (error: { readonly stderr?: string; readonly message: string }) =>
      `${cannot}: ${lastLineOf(error.stderr) ?? error.message}`,
  );
}

/**
 * Runs the command line of this process again in a network of its own. Resolves with its exit code, as a shell tells it.
 * `onSignal` sets what this process does at a signal: it passes each on. If this process is killed, the child gets
 * SIGTERM.
 */
export function runInOwnNetwork(onSignal: (name: NodeJS.Signals, own: () => void) => void): Promise<number> {
  const words = [process.execPath, ...process.execArgv, ...process.argv.slice(1)];
  const { command, args, env } = ownNetworkCommand(['setpriv', '--pdeathsig', 'TERM', ...words]);
  const child = spawn(command, args, { stdio: 'inherit', env });
  for (const name of forwarded) onSignal(name, () => child.kill(name));
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code, signal) => resolve(code ?? 128 + constants.signals[signal ?? 'SIGKILL']));
  });
}

/** Returns how to run a program in a new network. A user who is not root needs a user namespace, which keeps the id of
 * the user: some servers refuse to run as root. */
export function ownNetworkCommand(words: readonly string[], isRoot = process.getuid?.() === 0) {
  const asUser = isRoot ? [] : ['--user', '--map-current-user', '--keep-caps'];
  return {
    command: 'unshare',
    args: [...asUser, '--net', '--', 'sh', '-c', 'ip link set lo up || exit 4; exec "$@"', 'sh', ...words],
    env: { ...process.env, PATH: systemPath(), [outerVariable]: findNamespace() },
  };
}

function findNamespace(): string | undefined {
  try {
    return readlinkSync('/proc/self/ns/net');
  } catch {
    return undefined;
  }
}

function lastLineOf(text = ''): string | undefined {
  return text.trim().split('\n').at(-1) || undefined;
}
