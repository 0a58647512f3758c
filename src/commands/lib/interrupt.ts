import { setTimeout as delay } from 'node:timers/promises';
import { killNow } from '../../simulator/cluster/processes/janitor.js';
import { exitCodes } from './exit.js';

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
