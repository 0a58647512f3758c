/**
 * Measures what a link adds to a request. It sends GET requests one after the other over one kept-alive connection to a
 * small server in another process: through a link and directly, in turn. The link runs in this process, as in a run, so
 * its CPU time is what counts.
 *
 *   node dist/bench/links.js
 */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { Pool } from 'undici';
import { TcpLink } from '#src/simulator/cluster/links.js';

const rounds = 9;
const perRound = 3_000;
const markUs = 60;

interface Cost {
  readonly wallUs: number;
  readonly cpuUs: number;
}

const server = fork(new URL('driver-server.js', import.meta.url));
const [port] = await once(server, 'message');
const link = await TcpLink.listen('bench->server', Number(port));
const pools = [Number(port), link.port].map(each => new Pool(`http://127.0.0.1:${each}`, { connections: 1 }));
try {
  const costs = await measureRounds(pools);
  const [direct, linked] = costs.map(median);
  if (direct === undefined || linked === undefined) throw new Error('nothing was measured');
  console.log(row('direct', direct));
  console.log(row('through a link', linked));
  console.log(row('the link adds', { wallUs: linked.wallUs - direct.wallUs, cpuUs: linked.cpuUs - direct.cpuUs }));
  console.log(`mark: at most ${markUs} µs`);
} finally {
  await Promise.all(pools.map(pool => pool.destroy()));
  await link.close();
  server.kill();
}

/** Measures the rounds of each pool. The first round is a warm-up and does not count. */
async function measureRounds(each: readonly Pool[]): Promise<Cost[][]> {
  const costs: Cost[][] = each.map(() => []);
  for (let round = 0; round <= rounds; round += 1)
    for (const [index, pool] of each.entries()) {
      const cost = await oneRound(pool);
      if (round > 0) costs[index]?.push(cost);
    }
  return costs;
}

async function oneRound(pool: Pool): Promise<Cost> {
  const [cpu, began] = [process.cpuUsage(), performance.now()];
  for (let nth = 0; nth < perRound; nth += 1) await (await pool.request({ method: 'GET', path: '/me' })).body.dump();
  const { user, system } = process.cpuUsage(cpu);
  return { wallUs: ((performance.now() - began) * 1_000) / perRound, cpuUs: (user + system) / perRound };
}

function median(costs: readonly Cost[]): Cost {
  const middle = (of: (cost: Cost) => number): number => costs.map(of).sort((a, b) => a - b)[rounds >> 1] ?? 0;
  return { wallUs: middle(cost => cost.wallUs), cpuUs: middle(cost => cost.cpuUs) };
}

function row(what: string, { wallUs, cpuUs }: Cost): string {
  return `${what.padEnd(16)} ${wallUs.toFixed(0).padStart(5)} µs, ${cpuUs.toFixed(0).padStart(4)} µs CPU`;
}
