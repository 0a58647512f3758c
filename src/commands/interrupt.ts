import { exitCodes } from './exit.js';

const stopSignals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/**
 * Gives `work` a signal (its reason is the name of what arrived) that fires at the first Ctrl-C (or SIGTERM, SIGHUP), so that it can heal and stop in order.
 * A second Ctrl-C ends the command at once; the janitor then kills what still runs and removes the temporary files.
 */
export async function interruptible<T>(
  work: (signal: AbortSignal) => Promise<T>,
  notice = 'stopping: healing and ending every process (Ctrl-C again: at once)',
): Promise<T> {
  const controller = new AbortController();
  const onSignal = (name: NodeJS.Signals) => {
    if (controller.signal.aborted) process.exit(exitCodes.interrupted);
    process.stderr.write(`\n${notice}\n`);
    controller.abort(name);
  };
  for (const name of stopSignals) process.on(name, onSignal);
  try {
    return await work(controller.signal);
  } finally {
    for (const name of stopSignals) process.off(name, onSignal);
  }
}
