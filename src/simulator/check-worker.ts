import { parentPort, workerData } from 'node:worker_threads';
import type { CheckShare } from './check-in-threads.js';
import { byUser } from './checker/by-user.js';
import { UserPass } from './checker/user-pass.js';
import { JoinedTables } from './history/joined-tables.js';

/** A thread that judges some users of a long history. */
const { run, band, tables, share }: CheckShare = workerData;
const pass = new UserPass(run, band);
for (const operations of byUser(new JoinedTables(tables, share))) pass.see(operations);
parentPort?.postMessage(pass.counts());
