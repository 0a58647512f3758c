import { waitUntil } from '../../cluster/probe.js';
import { describeEnd, type ShellEnd } from '../../cluster/processes/run-program.js';
import { commandLimit, commandText, systemTarget } from '../../scenario/own-system.js';
import { defineFault } from '../fault.js';

/** Time limit of the check before `inject`. A command that waits until something is broken must not delay the fault. If
 * it times out, nothing is broken yet. */
const lookBeforeWithinMs = 2_000;

/**
 * Breaks anything that a command can break: `kubectl delete pod`, `docker kill`, the tool of a cloud provider. With it,
 * a system that does not run here can be tested, too. Each command runs with `sh -c` in the current directory and must
 * end within `within`. Code 0 means success.
 */
export const exec = defineFault({
  summary: 'runs your commands: one breaks something, one confirms that, one repairs it',
  doneInWords: undefined,
  targets: ['system'],
  options: {
    inject: commandText.describe('Command that breaks something. It ends with code 0 when that is done.'),
    confirm: commandText.describe(
      'Command that ends with code 0 when the damage is visible. It is tried again until "within" is over.',
    ),
    heal: commandText
      .optional()
      .describe(
        'Command that repairs it. It ends when the system has recovered. Leave it out if the system recovers by itself.',
      ),
    within: commandLimit.describe('Time limit of each command.'),
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
          // The last try may have timed out. Then the try before it says more.
          if (last === undefined || !end.late) last = end;
          return end.ok;
        };
        const seen = await waitUntil(isSeen, withinMs);
        if (interrupted.signal.aborted) return false;
        if (last !== undefined && !seen) assertOk('confirm', confirm, last);
        return seen && (last?.said.trim() || `"${confirm}" ended with code 0`);
      },
      async heal(cluster) {
        if (looking === undefined && running === undefined) return;
        // Ctrl-C may have interrupted a command. It must not go on while `heal` runs.
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

function assertOk(what: string, command: string, end: ShellEnd): void {
  if (!end.ok) throw new Error(`${what}: "${command}" ${describeEnd(end)}`);
}
