import type { Cluster } from './cluster.js';
import { waitUntil } from './probe.js';

/** Longer than any drain window of a scenario that lasts a few seconds. */
const drainWithinMs = 30_000;

export interface Removal {
  /** True when the proxy reported that no browser is bound to it and no request is in flight. */
  readonly drained: boolean;
  /** True when it was running and was asked to end. */
  readonly asked: boolean;
}

/** Removes a backend as a good deploy does: the proxy drains it, then it is asked to end. */
export async function removeBackend(
  cluster: Pick<Cluster, 'member' | 'proxyAdmin'>,
  backend: string,
): Promise<Removal> {
  const member = cluster.member(backend);
  await cluster.proxyAdmin.drain(backend);
  member.mark('draining');
  const drained = await waitUntil(async () => {
    const backends = await cluster.proxyAdmin.backends();
    return backends.some(({ name, drained }) => name === backend && drained);
  }, drainWithinMs);
  return { drained, asked: await member.stop() };
}

/** Says that the backend was drained and how it ended. Returns false when it was not asked to end. Rejects when it was
 * not drained or did not end properly. */
export async function describeRemoval(
  cluster: Cluster,
  backend: string,
  { drained, asked }: Removal,
): Promise<string | false> {
  if (!asked) return false;
  if (!drained) throw new Error(`the proxy still had users of ${backend} after ${drainWithinMs / 1000} s of draining`);
  const gone = await cluster.member(backend).confirm('stop');
  return gone && `drained, then ${gone}`;
}
