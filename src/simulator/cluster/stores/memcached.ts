import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { quoteForShell } from '../../../shared/text.js';
import { amongNumbers, map, megabytes } from '../../scenario/values.js';
import type { ShopCounts } from '../cluster.js';
import { answersWith } from '../probe.js';
import type { ProcessSpec } from '../processes/process-member.js';
import { findTool } from '../processes/run-program.js';
import { buildSingleShape, defineStoreServer, type StoreShape } from '../store-server.js';

export interface MemcachedSpec {
  /** Number of nodes. Each key is kept by one of them. */
  readonly nodes: number;
  /** The memory limit of each node in MB. Undefined: the default of memcached, 64. */
  readonly memoryMb: number | undefined;
}

const schema = map('system.memcached', {
  nodes: amongNumbers(1, 2)
    .default(1)
    .describe('Number of nodes. With two, each key is kept by either memcached.node-1 or memcached.node-2.'),
  memory: megabytes
    .optional()
    .describe('Memory for the data of each node; default: 64MB. Data that does not fit is evicted.'),
});

/** Returns the version, for example `{ memcached: '1.6.18' }`, from "memcached 1.6.18". */
async function versionOf(program: string): Promise<Record<string, string>> {
  const { stdout } = await promisify(execFile)(program, ['-V'], { timeout: 5_000 });
  return { memcached: stdout.trim().split(' ').at(-1) ?? '' };
}

/** Returns the memory flags. Memcached refuses an item size above half of the memory; its default is 1 MB. */
function memoryOptions(memoryMb: number | undefined): string[] {
  if (memoryMb === undefined) return [];
  return ['-m', String(memoryMb), '-I', memoryMb < 2 ? '512k' : '1m'];
}

const countsWithinMs = 1_000;

async function evictionsOf(port: number): Promise<ShopCounts> {
  let said = '';
  const isWhole = (answer: Buffer) => {
    said = answer.toString();
    return said.endsWith('END\r\n') || undefined;
  };
  if (!(await answersWith(port, 'stats\r\n', isWhole, countsWithinMs)))
    throw new Error('memcached did not answer the command stats');
  return { evictions: Number(/^STAT evictions (\d+)/m.exec(said)?.[1]) };
}

function specOf(program: string, name: string, port: number, memoryMb: number | undefined): ProcessSpec {
  // Memcached refuses to run as root. As root it needs the name of another user.
  const user = process.getuid?.() === 0 ? ['-u', 'nobody'] : [];
  return {
    name,
    role: 'store',
    port,
    command: program,
    args: ['-l', '127.0.0.1', '-p', String(port), '-U', '0', ...memoryOptions(memoryMb), ...user],
    env: {},
    answers: (withinMs, at = port) =>
      answersWith(at, 'version\r\n', answer => answer.toString().startsWith('VERSION '), withinMs),
    counts: () => evictionsOf(port),
    remedy: `${quoteForShell(program)} -p ${port}   (run it by hand to see its output)`,
  };
}

/** Builds the shape of several nodes. The nodes do not know each other: the backends spread the keys over them. */
function buildNodesShape(count: number): StoreShape {
  const [first = '', ...others] = Array.from({ length: count }, (_, index) => `memcached.node-${index + 1}`);
  return { members: [first, ...others], addresses: [first, ...others], replications: [], moves: false };
}

function shapeOf({ nodes }: MemcachedSpec): StoreShape {
  return nodes === 1 ? buildSingleShape('memcached') : buildNodesShape(nodes);
}

/** Memcached keeps everything in memory: a kill loses all data. */
export const memcached = defineStoreServer({
  schema: schema.prefault({}),
  specOf: ({ nodes, memory }): MemcachedSpec => ({ nodes, memoryMb: memory }),
  memberSettings: [[/^memcached\.node-\d+$/, 'memcached.nodes']],
  shape: shapeOf,
  async prepare({ spec, portOf }) {
    const program = findTool('memcached');
    const { members } = shapeOf(spec);
    return {
      steps: [members.map(name => specOf(program, name, portOf(name), spec.memoryMb))],
      url: seen => `memcached://${members.map(name => `127.0.0.1:${seen(name)}`).join(',')}`,
      versions: await versionOf(program),
    };
  },
});
