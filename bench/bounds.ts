/**
 * Measures what the proxy takes of the machine when its clients and backends are slow, huge or many. The proxy is a
 * process of its own; its memory is read from /proc. Exit code 1: a bound does not hold.
 *
 *   node dist/bench/bounds.js --help
 */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import yargs from 'yargs';
import { engines } from '#src/proxy/engines/registry.js';
import { type Holdfast, withHoldfast } from '#test/commands/holdfast.js';
import { fastBodies, slowBodies } from './bounds/bodies.js';
import { manyConnections } from './bounds/connections.js';
import { type Place, type Row, warmUp } from './bounds/place.js';
import { slowBackends } from './bounds/slow-backends.js';
import { wrk } from './bounds/wrk.js';

const values = await yargs(process.argv.slice(2))
  .usage('node dist/bench/bounds.js [flags]')
  .option('engine', { type: 'string', choices: Object.keys(engines), default: 'wire', describe: 'which engine' })
  .option('whole', {
    type: 'boolean',
    default: false,
    describe: 'transfer the whole 1 GB at 1 MB/s (17 minutes), not only 20 s of it',
  })
  .strict()
  .parse();

const backend = fork(path.join(import.meta.dirname, 'bounds/backend.js'));
try {
  const [port] = await once(backend, 'message');
  const flags = [`--engine=${values.engine}`, '--port=0', '--admin-port=0', '--backend', `http://127.0.0.1:${port}`];
  await withHoldfast(['proxy', ...flags], look);
} finally {
  backend.kill();
}

async function look(proxy: Holdfast): Promise<void> {
  const place = await placeOf(proxy);
  await warmUp(place);
  console.log(`engine ${values.engine}`);
  print(await manyConnections(place));
  print(await slowBodies(place, values.whole));
  print(await fastBodies(place));
  print(await slowBackends(place));
  const rows = await wrk(place, proxy.folder);
  if (rows === undefined) console.log('wrk: skipped, not on PATH');
  else print(rows);
}

async function placeOf(proxy: Holdfast): Promise<Place> {
  const line = /listening on (\S+),/;
  await proxy.sees(line);
  return { url: line.exec(proxy.output.stderr)?.[1] ?? '', pid: proxy.child.pid ?? 0 };
}

function print(rows: readonly Row[]): void {
  for (const { what, found, bound, holds } of rows) {
    console.log(`${holds ? 'ok   ' : 'BROKEN'} ${what.padEnd(66)} ${found.padEnd(36)} bound: ${bound}`);
    if (!holds) process.exitCode = 1;
  }
}
