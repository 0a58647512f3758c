import type { Cluster } from './cluster.js';
import { cleanEndInWords, exitInWords, isCleanEnd } from './cluster.js';
import { describeGone, eventually } from './probe.js';

/** Beyond any drain window that a scenario of a few seconds would set. */
const drainWithinMs = 30_000;
const exitWithinMs = 5_000;

export interface Removal {
  /** The proxy said that nobody is bound to it any more and nothing in flight. */
  readonly drained: boolean;
  /** SIGTERM reached it. */
  readonly asked: boolean;
}

/** As a good deploy takes a backend out: the proxy sends nobody new, then the process is asked to end. */
export async function removeBackend(cluster: Cluster, backend: string): Promise<Removal> {
  const member = cluster.member(backend);
  await cluster.proxyAdmin.drain(backend);
  member.mark('draining');
  const drained = await eventually(async () => {
    const backends = await cluster.proxyAdmin.backends();
    return backends.some(({ name, drained }) => name === backend && drained);
  }, drainWithinMs);
  return { drained, asked: member.signal('SIGTERM') };
}

/** Says that it was drained and how it ended at SIGTERM; false when it was not asked to. Rejects when it did otherwise. */
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
  const did = exit === undefined ? `did not end within ${exitWithinMs / 1000} s` : exitInWords(exit);
  throw new Error(`${backend} ${did}, expected it to end at SIGTERM ${cleanEndInWords}`);
}
