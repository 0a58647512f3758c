import { once } from 'node:events';
import { parentPort, workerData } from 'node:worker_threads';
import { JoinedTables, type UserShare } from '../history/open-history.js';
import type { TableParts } from '../history/operation-table.js';
import type { CheckShare } from './judge-run.js';
import { loadOf, type PlannedLoad } from './load.js';
import { byUser } from './users/operations.js';
import { UserPass } from './users/user-pass.js';

/** A thread that judges some users of a long history: see `checkInThreads`. */
if (parentPort === null) throw new Error('this program is a thread');
const { run, tables, share }: CheckShare = workerData;
const bandReceived = once(parentPort, 'message');
parentPort.postMessage(...transferColumns(loadOfShare(tables, share)));
const operations = new JoinedTables(tables, share);
operations.groupUsers();
const [band] = await bandReceived;
const pass = new UserPass(run, band);
for (const own of byUser(operations)) pass.see(own);
parentPort.postMessage(pass.counts());

function loadOfShare(all: readonly TableParts[], { number, of }: UserShare): PlannedLoad {
  return loadOf(new JoinedTables(all.filter((_, i) => i % of === number)));
}

/** Returns the arguments of `postMessage` that transfer the columns instead of copying them. */
function transferColumns(load: PlannedLoad): [PlannedLoad, ArrayBuffer[]] {
  return [load, Object.values(load).map(({ buffer }) => buffer)];
}
