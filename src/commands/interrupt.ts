import { killNow } from '../simulator/cluster/janitor.js';
import { exitCodes } from './exit.js';

const stopSignals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** npm passes on a Ctrl-C that the terminal has sent to the whole process group already: both are one key press. */
const oneKeyPressMs = 200;

/**
 * Gives `work` a signal that fires at the first Ctrl-C (or SIGTERM, SIGHUP; its reason is that name), so that it can
 * heal and stop in order.
 * A second Ctrl-C ends the command at once, and all that it started.
 */
export async function interruptible<T>(
  work: (signal: AbortSignal) => Promise<T>,
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
  for (const name of stopSignals) process.on(name, onSignal);
  try {
    return await work(controller.signal);
  } finally {
    for (const name of stopSignals) process.off(name, onSignal);
  }
}

function leaveAtOnce(): never {
  killNow();
  process.exit(exitCodes.interrupted);
}
