import { randomInt } from 'node:crypto';
import path from 'node:path';
import { freePort, isFree } from '#src/simulator/cluster/processes/free-port.js';
import { until } from './until.js';
import { type RedisProcess, type RedisServer, serverArguments, startIn, startProcess, told } from './with-redis.js';

const slotCount = 16_384;
const primaryCount = 3;
/** The nodes use a second port for each other: this much higher. */
const busOffset = 10_000;
/** Above this port, Linux assigns the ports of outgoing connections. */
const busPortMax = 32_767;
const portMin = 20_000;

interface ClusterOptions {
  readonly replicasEach?: number;
  /** A node that is away for this long is declared failed by the others. */
  readonly nodeTimeoutMs?: number;
}

/** Three primaries with a third of the slots each, all real processes. `freeze`, `kill` and `restart` apply to all
 * nodes. */
export interface RedisCluster extends RedisServer {
  readonly primaries: readonly RedisProcess[];
  readonly replicas: readonly RedisProcess[];
  /** Returns the primary with the slot of the key. */
  ownerOf(key: string): Promise<RedisProcess>;
  /** Resolves when every live node reports that the cluster serves. */
  serves(except?: RedisProcess): Promise<void>;
}

export async function withCluster<T>(options: ClusterOptions, work: (cluster: RedisCluster) => Promise<T>): Promise<T> {
  const cluster = await startCluster(options);
  try {
    return await work(cluster);
  } finally {
    await cluster.stop();
  }
}

/** Starts the cluster. Call it in `before`, and its `stop` in `after`. */
export async function startCluster(options: ClusterOptions = {}): Promise<RedisCluster> {
  const { replicasEach = 0, nodeTimeoutMs = 15_000 } = options;
  return startIn('holdfast-cluster-', async folder => {
    const count = primaryCount * (1 + replicasEach);
    const starts = await Promise.allSettled(Array.from({ length: count }, () => startNode(folder, nodeTimeoutMs)));
    const nodes = starts.flatMap(start => (start.status === 'fulfilled' ? [start.value] : []));
    const stop = async () => void (await Promise.all(nodes.map(each => each.kill())));
    try {
      const failed = starts.find(start => start.status === 'rejected');
      if (failed !== undefined) throw failed.reason;
      return { ...(await joined(nodes)), stop };
    } catch (error) {
      await stop();
      throw error;
    }
  });
}

async function startNode(folder: string, nodeTimeoutMs: number): Promise<RedisProcess> {
  const port = await portWithBus();
  const settings = {
    'cluster-enabled': 'yes',
    'cluster-config-file': path.join(folder, `nodes-${port}.conf`),
    'cluster-node-timeout': nodeTimeoutMs,
    'cluster-require-full-coverage': 'no',
    'repl-diskless-sync-delay': 0,
  };
  const args = Object.entries(settings).flatMap(([key, value]) => [`--${key}`, String(value)]);
  return startProcess(port, [...serverArguments(folder), ...args]);
}

export async function portWithBus(): Promise<number> {
  for (;;) {
    const port = await freePort(() => randomInt(portMin, busPortMax - busOffset));
    if (await isFree(port + busOffset, '127.0.0.1')) return port;
  }
}

async function joined(nodes: readonly RedisProcess[]): Promise<Omit<RedisCluster, 'stop'>> {
  const [primaries, replicas] = [nodes.slice(0, primaryCount), nodes.slice(primaryCount)];
  const share = Math.ceil(slotCount / primaryCount);
  for (const [at, { port }] of primaries.entries()) {
    await told(port, 'CLUSTER', 'SET-CONFIG-EPOCH', at + 1);
    await told(port, 'CLUSTER', 'ADDSLOTSRANGE', at * share, Math.min((at + 1) * share, slotCount) - 1);
    await told(port, 'CLUSTER', 'MEET', '127.0.0.1', primaries[0]?.port ?? 0);
  }
  for (const { port } of replicas) await told(port, 'CLUSTER', 'MEET', '127.0.0.1', primaries[0]?.port ?? 0);
  for (const [at, replica] of replicas.entries()) await follow(replica, primaries[at % primaryCount]);
  const cluster = {
    primaries,
    replicas,
    url: `redis+cluster://${nodes.map(({ port }) => `127.0.0.1:${port}`).join(',')}`,
    serves: async (except?: RedisProcess) => {
      const asked = nodes.filter(node => node !== except);
      await Promise.all(asked.map(({ port }) => until(() => isServing(port, nodes.length))));
    },
    ownerOf: async (key: string) => {
      const slot = Number(await told(primaries[0]?.port ?? 0, 'CLUSTER', 'KEYSLOT', key));
      const owner = primaries[Math.floor(slot / share)];
      if (owner === undefined) throw new Error(`no server has slot ${slot}`);
      return owner;
    },
    freeze: () => nodes.forEach(each => void each.freeze()),
    thaw: () => nodes.forEach(each => void each.thaw()),
    kill: async () => void (await Promise.all(nodes.map(each => each.kill()))),
    restart: async () => {
      await Promise.all(nodes.map(each => each.restart()));
      await cluster.serves();
    },
  };
  await cluster.serves();
  return cluster;
}

async function follow({ port }: RedisProcess, primary: RedisProcess | undefined): Promise<void> {
  const id = await told(primary?.port ?? 0, 'CLUSTER', 'MYID');
  await until(async () => (await told(port, 'CLUSTER', 'NODES')).includes(id));
  await told(port, 'CLUSTER', 'REPLICATE', id);
  await until(async () => (await told(port, 'INFO', 'replication')).includes('master_link_status:up'));
}

async function isServing(port: number, nodes: number): Promise<boolean> {
  const info = await told(port, 'CLUSTER', 'INFO');
  return info.includes('cluster_state:ok') && info.includes(`cluster_known_nodes:${nodes}`);
}
