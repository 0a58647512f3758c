import type { Cluster } from './cluster.js';
import { cleanEndInWords, describeExit, isCleanEnd } from './cluster.js';
import { describeGone, waitUntil } from './probe.js';

/** Longer than any drain window of a scenario that lasts a few seconds. */
const drainWithinMs = 30_000;
const exitWithinMs = 5_000;

export interface Removal {
  /** True when the proxy reported that no browser is bound to it and no request is in flight. */
  readonly drained: boolean;
  /** True when SIGTERM reached it. */
  readonly asked: boolean;
}

/** Removes a backend as a good deploy does: the proxy drains it, then the process gets SIGTERM. */
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
  return { drained, asked: member.signal('SIGTERM') };
}

/**
 * Says that the backend was drained and how it ended at SIGTERM. Returns false when it did not get SIGTERM. Rejects
 * when it was not drained or did not end properly.
 */
export async function describeRemoval(
  cluster: Cluster,
  backend: string,
  { drained, asked }: Removal,
): Promise<string | false> {
  if (!asked) return false;
  if (!drained) throw new Error(`the proxy still had users of ${backend} after ${drainWithinMs / 1000} s of draining`);
  const member = cluster.member(backend);
  const exit = await member.waitExit(exitWithinMs);
  if (exit !== undefined && isCleanEnd(exit)) {
    const gone = await describeGone(member, exit);
    return gone && `drained, then ${gone}`;
  }
  const did = exit === undefined ? `did not end within ${exitWithinMs / 1000} s` : describeExit(exit);
  throw new Error(`${backend} ${did}, expected it to end at SIGTERM ${cleanEndInWords}`);
}
