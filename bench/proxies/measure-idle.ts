import { once } from 'node:events';
import path from 'node:path';
import { warmUp } from './measure.js';
import { cores, settledKb, startScript, stop } from './processes.js';
import type { Standing } from './standing.js';
import { type IdleWorkload, workloads } from './workloads.js';

export interface IdleRound {
  readonly beforeMb: number;
  readonly afterMb: number;
  readonly kbPerConnection: number;
  /** Connections that were refused, answered wrongly, or closed too early. */
  readonly errors: number;
}

const loadSeconds = 2;

/**
 * Measures the memory of a proxy with all connections open, above its memory before. Both are measured after the same
 * load, so that heaps have grown and garbage is collected.
 */
export async function measureIdle(standing: Standing, workload: IdleWorkload, folder: string): Promise<IdleRound> {
  const beforeKb = await settledAfterLoad(standing, folder);
  const { origin, cookies } = standing;
  const script = path.join(import.meta.dirname, 'idle-clients.js');
  const args = [origin.origin, String(workload.connections), cookies.join(',')];
  const clients = startScript(cores.others, script, args);
  const [{ open }] = await once(clients, 'message');
  const afterKb = await settledAfterLoad(standing, folder);
  clients.send('how many are left?');
  const [{ closed }] = await once(clients, 'message');
  await stop(clients);
  return {
    beforeMb: beforeKb / 1024,
    afterMb: afterKb / 1024,
    kbPerConnection: (afterKb - beforeKb) / (open - closed),
    errors: workload.connections - open + closed,
  };
}

async function settledAfterLoad(standing: Standing, folder: string): Promise<number> {
  const { small } = workloads;
  if (small?.kind === 'load') await warmUp(standing, small, loadSeconds, folder);
  return settledKb(standing.child.pid);
}
