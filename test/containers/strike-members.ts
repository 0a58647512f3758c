import { drivers } from '#src/simulator/cluster/external/drivers.js';
import { openSystem } from '#src/simulator/cluster/start-cluster.js';
import { Strike } from '#src/simulator/faults/strike.js';
import type { FaultRecord } from '#src/simulator/history/records.js';
import { stage } from '../simulator/faults/fault-stage.js';

/** Strikes and heals a member of a system that already runs, by a driver and without users. Returns the record. */
export async function strikeMember(
  driver: string,
  { selector, action, target }: { readonly selector: string; readonly action: string; readonly target: string },
): Promise<FaultRecord> {
  const commands = drivers[driver];
  if (commands === undefined) throw new Error(`no driver ${driver}`);
  const members = { driver, commands, selector, withinMs: 30_000 };
  const spec = {
    mode: 'sticky',
    target: 'http://127.0.0.1:9',
    members,
    backends: { count: 0, env: {} },
    stores: [],
  } as const;
  const cluster = await openSystem(
    spec,
    new AbortController().signal,
    () => undefined,
    () => 0,
  );
  try {
    const options = action === 'flap' ? { up: '1s', down: '500ms' } : {};
    const fault = { id: 'struck', trigger: { atMs: 0 }, do: action, target, options };
    const strike = new Strike(fault, stage(cluster, []).stage);
    await strike.inject();
    await strike.heal(() => []);
    return strike.record;
  } finally {
    await cluster.stop();
  }
}
