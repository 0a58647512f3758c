/**
 * Measures what sessions cost a backend: CPU of its process per request, for a read of the cart and for a write. The
 * usual session libraries and every mode take turns. The ratios within one turn are what counts; the medians of the
 * turns are printed.
 *
 *   node dist/bench/sessions.js [seconds per figure, default 4] [turns, default 1] [only names with this text]
 */
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import autocannon from 'autocannon';
import { type ModeName, modeNames, storesOf } from '#src/modes.js';
import { startCluster } from '#src/simulator/cluster/start-cluster.js';

const durationS = Number(process.argv[2] ?? 4);
const turns = Number(process.argv[3] ?? 1);
const wanted = process.argv[4] ?? '';
const connections = 64;
const warmUpRequests = 25_000;
/** USER_HZ of Linux: the unit of CPU times in /proc. */
const tickMs = 10;
const skus = ['tea', 'rope', 'lamp', 'salt', 'soap'];

const program = (name: string) => path.join(import.meta.dirname, `sessions/${name}.js`);

interface Contestant {
  readonly name: string;
  readonly mode: ModeName;
  readonly program?: string;
}

/** All others are compared with this one. */
const base: Contestant = { name: '@fastify/session 11, connect-redis', mode: 'redis', program: program('fastify') };
const others: readonly Contestant[] = [
  { name: 'express-session 1.19, connect-redis', mode: 'redis', program: program('express') },
  { name: '@hapi/iron 7, as iron-session', mode: 'sealed', program: program('iron') },
  ...modeNames.map(mode => ({ name: `Holdfast sessions, ${mode}`, mode, program: program('holdfast') })),
  ...modeNames.map(mode => ({ name: `toy shop, ${mode}`, mode })),
];

interface Figures {
  readonly readMicros: number;
  readonly readRatio: number;
  readonly writeMicros: number;
  readonly writeRatio: number;
  readonly readsPerSecond: number;
  readonly cookieBytes: number;
  readonly bad: number;
}

const contestants = [base, ...others.filter(({ name }) => name.includes(wanted))];
const figures = new Map<Contestant, Figures[]>(contestants.map(contestant => [contestant, []]));
for (let turn = 1; turn <= turns; turn++) {
  let ofBase: Figures | undefined;
  for (const [contestant, found] of figures) {
    process.stderr.write(`${turn}. ${contestant.name}\n`);
    const figure = await measure(contestant, ofBase);
    ofBase ??= figure;
    found.push(figure);
  }
}
print();

/** Measures one contestant. Without `ofBase`, it is the base itself. */
async function measure({ mode, program }: Contestant, ofBase: Figures | undefined): Promise<Figures> {
  const backends = { count: 1, env: {}, ...(program === undefined ? {} : { program }) };
  const spec = { mode, backends, stores: storesOf(mode) };
  const cluster = await startCluster(spec, new AbortController().signal, () => {});
  try {
    const { pid, port } = cluster.member('backend-1');
    const origin = `http://127.0.0.1:${port}`;
    const cookies = await Promise.all(Array.from({ length: connections }, (_, index) => logIn(origin, index)));
    const read = await load({ origin, cookies, pid, method: 'GET' });
    const write = await load({ origin, cookies, pid, method: 'POST' });
    return {
      readMicros: read.cpuMicros,
      readRatio: read.cpuMicros / (ofBase?.readMicros ?? read.cpuMicros),
      writeMicros: write.cpuMicros,
      writeRatio: write.cpuMicros / (ofBase?.writeMicros ?? write.cpuMicros),
      readsPerSecond: read.requestsPerSecond,
      cookieBytes: cookies[0]?.length ?? 0,
      bad: read.bad + write.bad,
    };
  } finally {
    await cluster.stop();
  }
}

/** Logs in and adds five items to the cart. Resolves with the Cookie header. */
async function logIn(origin: string, index: number): Promise<string> {
  let cookie = await post(`${origin}/login`, { user: `bench-${index}`, password: 'secret' }, '');
  for (const sku of skus) cookie = await post(`${origin}/cart`, { sku }, cookie);
  return cookie;
}

async function post(url: string, body: object, cookie: string): Promise<string> {
  const headers = { 'content-type': 'application/json', cookie };
  const response = await fetch(url, { method: 'POST', headers, body: JSON.stringify(body) });
  await response.arrayBuffer();
  if (!response.ok) throw new Error(`POST ${url} answered ${response.status}`);
  return mergeCookies(cookie, response.headers.getSetCookie());
}

/** Returns the Cookie header that a browser sends after these Set-Cookie lines. */
function mergeCookies(header: string, lines: readonly string[]): string {
  const pairs = [...header.split('; '), ...lines.map(line => line.split(';')[0] ?? '')].filter(pair => pair !== '');
  return [...new Map(pairs.map(pair => [pair.split('=')[0], pair])).values()].join('; ');
}

interface Target {
  readonly origin: string;
  readonly cookies: readonly string[];
  readonly pid: number | undefined;
  readonly method: 'GET' | 'POST';
}

/** Warms up until the code is compiled, and then measures. */
async function load(target: Target): Promise<{ cpuMicros: number; requestsPerSecond: number; bad: number }> {
  await fire(target, { amount: warmUpRequests });
  const before = await cpuMs(target.pid);
  const result = await fire(target, { duration: durationS });
  const spentMs = (await cpuMs(target.pid)) - before;
  return {
    cpuMicros: (1000 * spentMs) / result.requests.total,
    requestsPerSecond: result.requests.average,
    bad: result.non2xx + result.errors,
  };
}

/** Sends the load. Each connection is another user, who adds the same five items again and again. */
function fire(
  { origin, cookies, method }: Target,
  length: { readonly amount: number } | { readonly duration: number },
): Promise<autocannon.Result> {
  let next = 0;
  const setupClient = (client: autocannon.Client) => {
    const headers = { cookie: cookies[next++ % cookies.length] ?? '', 'content-type': 'application/json' };
    const bodies = method === 'GET' ? [{}] : skus.map(sku => ({ body: JSON.stringify({ sku }) }));
    client.setRequests(bodies.map(body => ({ method, path: '/cart', headers, ...body })));
  };
  return autocannon({ url: origin, connections, setupClient, ...length });
}

/** Returns user and system time of a process: fields 14 and 15 of its stat, counted after the name in parentheses. */
async function cpuMs(pid: number | undefined): Promise<number> {
  const fields = (await readFile(`/proc/${pid}/stat`, 'utf8')).split(') ')[1]?.split(' ') ?? [];
  return (Number(fields[11]) + Number(fields[12])) * tickMs;
}

function print(): void {
  console.log(`${connections} connections, ${durationS} s for each figure, ${turns} turns; ratios to ${base.name}`);
  console.log(`${'backend'.padEnd(38)}read µs  ratio  write µs  ratio    reads/s  cookie  not 2xx`);
  for (const [{ name }, found] of figures) {
    const median = (of: keyof Figures) => medianOf(found.map(figure => figure[of]));
    console.log(
      [
        name.padEnd(36),
        median('readMicros').toFixed(1).padStart(9),
        median('readRatio').toFixed(2).padStart(7),
        median('writeMicros').toFixed(1).padStart(10),
        median('writeRatio').toFixed(2).padStart(7),
        Math.round(median('readsPerSecond')).toLocaleString('en').padStart(11),
        String(median('cookieBytes')).padStart(8),
        String(found.reduce((sum, { bad }) => sum + bad, 0)).padStart(9),
      ].join(''),
    );
  }
}

function medianOf(values: readonly number[]): number {
  return values.toSorted((one, other) => one - other)[Math.floor(values.length / 2)] ?? Number.NaN;
}
