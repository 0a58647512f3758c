import { killNow } from '../../simulator/cluster/processes/janitor.js';
import { exitCodes } from './exit.js';

const stopSignals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** npm passes on a Ctrl-C that the terminal has sent to the whole process group already: both are one key press. */
const oneKeyPressMs = 200;

/**
 * Gives `work` a signal that fires at the first Ctrl-C (or SIGTERM, SIGHUP; its reason is that name), so that it can
 * heal and stop in order.
 * Work that has a use of its own for a signal takes it over.
 * A second Ctrl-C ends the command at once, and all that it started.
 */
export async function interruptible<T>(
  work: (signal: AbortSignal, takeOver: (name: 'SIGHUP', own: () => void) => void) => Promise<T>,
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
    // In this order: with nobody listening the signal would end the process.
    process.on(name, listener);
    process.off(name, listeners.get(name) ?? (() => {}));
    listeners.set(name, listener);
  };
  for (const name of stopSignals) listen(name, onSignal);
  try {
    return await work(controller.signal, listen);
  } finally {
    for (const [name, listener] of listeners) process.off(name, listener);
  }
}

function leaveAtOnce(): never {
  killNow();
  process.exit(exitCodes.interrupted);
}
