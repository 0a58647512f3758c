import { parentPort, workerData } from 'node:worker_threads';
import type { CheckShare } from './check-in-threads.js';
import type { Band } from './checker/band.js';
import { byUser } from './checker/by-user.js';
import { UserPass } from './checker/user-pass.js';
import { JoinedTables } from './history/joined-tables.js';

/** A thread that judges some users of a long history. */
const { run, tables, share }: CheckShare = workerData;
const operations = new JoinedTables(tables, share);
parentPort?.once('message', (band: Band) => {
  const pass = new UserPass(run, band);
  for (const own of byUser(operations)) pass.see(own);
  parentPort?.postMessage(pass.counts());
});
