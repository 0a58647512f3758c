/**
 * Kills a backend under load and counts what 64 clients notice in the next 5 s, for GET and for POST, with Holdfast and
 * with other proxies. Exit code 1 when Holdfast breaks its promise: no bad GET. Bad POSTs only for those in flight on
 * the dead backend, each with 502 and outcome=unknown. No request carried out twice.
 *
 *   node dist/bench/kill.js --help
 */
import { writeFile } from 'node:fs/promises';
import yargs from 'yargs';
import type { Method } from './kill/clients.js';
import { type Account, accountOf, flawsOfGet, flawsOfPost } from './kill/judge.js';
import { type KillPeer, killPeers } from './kill/peers.js';
import { strike } from './kill/strike.js';
import { chosen, machine, namesOf, say, withFolder } from './proxies/lab.js';
import { table } from './proxies/table.js';

const args = await yargs(process.argv.slice(2))
  .usage('node dist/bench/kill.js [flags]')
  .option('peers', namesOf('which proxies', killPeers))
  .option('json', { type: 'string', requiresArg: true, describe: 'writes the counts to this file' })
  .example('$0 --peers "holdfast wire affinity on"', 'one row')
  .strict()
  .parse();

interface Row {
  readonly name: string;
  readonly GET: Account;
  readonly POST: Account;
  readonly flaws: readonly string[];
}

async function rowOf(name: string, { find, ours }: KillPeer, folder: string): Promise<Row | undefined> {
  const peer = find();
  if ('leftOut' in peer) {
    say(`${name}: skipped, ${peer.leftOut}`);
    return undefined;
  }
  const kill = async (method: Method) => {
    const seen = await strike(name, peer, method, folder);
    say(`${name}, ${method}: ${kindsOf(accountOf(seen))}`);
    return seen;
  };
  const [get, post] = [await kill('GET'), await kill('POST')];
  const flaws = ours ? [...flawsOfGet(get), ...flawsOfPost(post)] : [];
  const title = peer.version === '' ? name : `${name} (${peer.version})`;
  return { name: title, GET: accountOf(get), POST: accountOf(post), flaws };
}

function kindsOf({ bad }: Account): string {
  const kinds = Object.entries(bad).map(([kind, count]) => `${count.toLocaleString('en')} × ${kind}`);
  return kinds.length === 0 ? '0' : kinds.join(', ');
}

function print(rows: readonly Row[]): void {
  const head = [
    'proxy',
    'GET not 200',
    'after 1 s',
    'POST not 200',
    'after 1 s',
    'POSTs in flight',
    'POSTs done twice',
  ];
  const cells = rows.map(({ name, GET, POST }) => {
    const counts = [GET.late, kindsOf(POST), POST.late, POST.held, POST.twice];
    return [name, kindsOf(GET), ...counts.map(each => each.toLocaleString('en'))];
  });
  console.log(table(head, cells));
  for (const { name, flaws } of rows) for (const flaw of flaws) console.log(`${name}: ${flaw}`);
}

const rows: Row[] = [];
await withFolder(async folder => {
  for (const [name, peer] of chosen('peer', args.peers, killPeers)) {
    const row = await rowOf(name, peer, folder);
    if (row !== undefined) rows.push(row);
  }
});
print(rows);
if (args.json !== undefined) await writeFile(args.json, `${JSON.stringify({ machine, rows }, undefined, 2)}\n`);
process.exitCode = rows.some(({ flaws }) => flaws.length > 0) ? 1 : 0;
