import { eventually } from '../../cluster/probe.js';
import type { ShellEnd } from '../../cluster/processes/shell.js';
import { commandLimit, commandText, systemTarget } from '../../scenario/own-app.js';
import { defineFault } from '../fault.js';

/** A command that waits by itself until something is broken must not hold up the fault: then it is not broken yet. */
const lookBeforeWithinMs = 2_000;

/**
 * Whatever a command can break: `kubectl delete pod`, `docker kill`, a cloud's own tool. So a system that does not run
 * here is tested too. Each command is run by `sh -c` in the current directory and has `within` to end; code 0 is yes.
 */
export const exec = defineFault({
  summary: 'commands of yours: one breaks something, one sees that it is broken, one mends it',
  targets: ['system'],
  options: {
    inject: commandText.describe('Breaks it; ends with code 0 when that is done.'),
    confirm: commandText.describe('Ends with code 0 when it is seen to be broken; tried again until "within" is over.'),
    heal: commandText
      .optional()
      .describe('Mends it, and ends when the system has it back; left out where it heals itself.'),
    within: commandLimit.describe('How long each of them may take.'),
    target: systemTarget,
  },
  effect: () => ({ kind: 'confirm-changed' }),
  effectInWords: '"confirm" failed before "inject" and succeeded after it',
  make: (_target, { inject, confirm, heal, within: withinMs }) => {
    const interrupted = new AbortController();
    let looking: Promise<ShellEnd> | undefined;
    let running: Promise<ShellEnd> | undefined;
    return {
      async confirmedBefore(cluster) {
        looking = cluster.shell(confirm, Math.min(withinMs, lookBeforeWithinMs), interrupted.signal);
        return (await looking).ok;
      },
      async inject(cluster) {
        running = cluster.shell(inject, withinMs, interrupted.signal);
        assertOk('inject', inject, await running);
      },
      async confirm(cluster) {
        const deadline = performance.now() + withinMs;
        let last: ShellEnd | undefined;
        const isSeen = async () => {
          if (interrupted.signal.aborted) return true;
          running = cluster.shell(confirm, Math.max(1, deadline - performance.now()), interrupted.signal);
          const end = await running;
          // The last try may have been cut short: the one before it says more.
          if (last === undefined || !end.late) last = end;
          return end.ok;
        };
        const seen = await eventually(isSeen, withinMs);
        if (interrupted.signal.aborted) return false;
        if (last !== undefined && !seen) assertOk('confirm', confirm, last);
        return seen && (last?.said.trim() || `"${confirm}" ended with code 0`);
      },
      async heal(cluster) {
        if (looking === undefined && running === undefined) return;
        // Ctrl-C may have come in the middle of one: what is half done must not go on while it is mended.
        interrupted.abort();
        await looking;
        if (running === undefined) return;
        await running;
        running = undefined;
        if (heal !== undefined)
          assertOk('heal', heal, await cluster.shell(heal, withinMs, new AbortController().signal));
      },
    };
  },
});

function assertOk(what: string, command: string, { ok, how, said }: ShellEnd): void {
  if (ok) return;
  const words = said.trim().replaceAll(/\s*\n\s*/g, ' | ');
  throw new Error(`${what}: "${command}" ${how}${words === '' ? '' : `, and said: ${words}`}`);
}
