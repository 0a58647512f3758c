import { once } from 'node:events';
import { parentPort, workerData } from 'node:worker_threads';
import { JoinedTables, type UserShare } from '../history/joined-tables.js';
import type { TableParts } from '../history/operation-table.js';
import type { CheckShare } from './check-in-threads.js';
import { loadOf, type PlannedLoad } from './load.js';
import { byUser } from './users/operations.js';
import { UserPass } from './users/user-pass.js';

/** A thread that judges some users of a long history: see `checkInThreads`. */
if (parentPort === null) throw new Error('this program is a thread');
const { run, tables, share }: CheckShare = workerData;
const asked = once(parentPort, 'message');
parentPort.postMessage(...withoutCopy(loadOfShare(tables, share)));
const operations = new JoinedTables(tables, share);
operations.groupUsers();
const [band] = await asked;
const pass = new UserPass(run, band);
for (const own of byUser(operations)) pass.see(own);
parentPort.postMessage(pass.counts());

function loadOfShare(all: readonly TableParts[], { number, of }: UserShare): PlannedLoad {
  return loadOf(new JoinedTables(all.filter((_, i) => i % of === number)));
}

function withoutCopy(load: PlannedLoad): [PlannedLoad, ArrayBuffer[]] {
  return [load, Object.values(load).map(({ buffer }) => buffer)];
}
