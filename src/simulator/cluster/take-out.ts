import type { Cluster } from './cluster.js';
import { eventually } from './probe.js';
import { inWords } from './process-member.js';

/** Beyond any drain window that a scenario of a few seconds would set. */
const drainWithinMs = 30_000;
const exitWithinMs = 5_000;

export interface TakenOut {
  /** The proxy said that nobody is bound to it any more and nothing in flight. */
  readonly drained: boolean;
  /** SIGTERM reached it. */
  readonly asked: boolean;
}

/** As a good deploy takes a backend out: the proxy sends nobody new, then the process is asked to end. */
export async function takeOut(cluster: Cluster, backend: string): Promise<TakenOut> {
  const member = cluster.member(backend);
  await cluster.proxyAdmin.drain(backend);
  member.mark('draining');
  const drained = await eventually(async () => {
    const backends = await cluster.proxyAdmin.backends();
    return backends.some(({ name, drained }) => name === backend && drained);
  }, drainWithinMs);
  return { drained, asked: member.signal('SIGTERM') };
}

/** Whether it was taken out as it should be, and then ended by itself; rejects when it was asked to and did otherwise. */
export async function hasLeft(cluster: Cluster, backend: string, { drained, asked }: TakenOut): Promise<boolean> {
  if (!asked) return false;
  if (!drained) throw new Error(`the proxy still had users of ${backend} after ${drainWithinMs / 1000} s of draining`);
  const exit = await cluster.member(backend).waitExit(exitWithinMs);
  if (exit?.code === 0) return true;
  const did = exit === undefined ? `did not end within ${exitWithinMs / 1000} s` : `ended with ${inWords(exit)}`;
  throw new Error(`${backend} ${did}, expected it to end by itself at SIGTERM, with code 0`);
}
