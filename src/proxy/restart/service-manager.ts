import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

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
