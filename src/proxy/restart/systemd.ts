import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import type { OpenSocket } from '../sockets.js';
import type { OpenSockets, SocketName } from './takeover.js';

/* Tells systemd about the state of this process, and reads which sockets systemd has opened for it. */

/** A service manager that does not answer must not keep the proxy from serving. */
const notifyMs = 5000;

const run = promisify(execFile);

/**
 * Tells the service manager about this process (sd_notify(3)): each word is `VARIABLE=value`. Does nothing where no
 * service manager waits for it.
 *
 * The messages go to a Unix datagram socket, and Node has no such sockets. So `systemd-notify` sends them, a program
 * that comes with systemd. Its messages come from another process than ours: the unit needs `NotifyAccess=all`.
 * Resolves with a sentence when that program cannot be run.
 */
export async function notifyServiceManager(...words: readonly string[]): Promise<string | undefined> {
  if (process.env.NOTIFY_SOCKET === undefined) return undefined;
  try {
    await run('systemd-notify', words, { timeout: notifyMs });
    return undefined;
  } catch (error) {
    const reason = error instanceof Error ? error.message.trim() : String(error);
    return `the service manager was not told ${words.join(' ')}: ${reason}; expected systemd-notify in the PATH`;
  }
}

/** The message of a process that serves. `MAINPID` makes a successor the main process of its service. */
export function buildReadyWords(pid: number): readonly string[] {
  return ['READY=1', `MAINPID=${pid}`];
}

/** The message of a process that begins to reload. `nowNs`: nanoseconds of the monotonic clock. */
export function buildReloadingWords(nowNs: bigint): readonly string[] {
  return ['RELOADING=1', `MONOTONIC_USEC=${nowNs / 1000n}`];
}

/** The first descriptor that systemd passes (sd_listen_fds(3)). */
const firstFd = 3;

type ActivationVariables = Readonly<Partial<Record<'LISTEN_PID' | 'LISTEN_FDS' | 'LISTEN_FDNAMES', string>>>;

/**
 * Reads which sockets systemd has opened for this process. A socket named `admin`, `health` or `redirect`
 * (`FileDescriptorName=`) is for that purpose. The other one is for traffic, whatever its name. Undefined: there are
 * none. Throws when there are several for the same purpose.
 */
export function readActivation(env: ActivationVariables, pid: number): OpenSockets | undefined {
  const count = Number(env.LISTEN_FDS);
  // The variables of another process, which has passed its environment on.
  if (Number(env.LISTEN_PID) !== pid || !Number.isInteger(count) || count < 1) return undefined;
  const names = env.LISTEN_FDNAMES?.split(':') ?? [];
  const sockets = new Map<SocketName, OpenSocket>();
  for (let nth = 0; nth < count; nth += 1) {
    const name = purposeOf(names[nth]);
    if (sockets.has(name)) throw new TypeError(explainTwice(name));
    sockets.set(name, { fd: firstFd + nth });
  }
  return { take: async name => sockets.get(name), mayReplace: async () => false };
}

function purposeOf(name: string | undefined): SocketName {
  return name === 'admin' || name === 'health' || name === 'redirect' ? name : 'traffic';
}

function explainTwice(name: SocketName): string {
  return (
    `systemd passes two sockets for ${name}: expected one ListenStream= in each socket unit, and ` +
    'FileDescriptorName=admin, health or redirect in the units of the others'
  );
}
