import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { check } from '#src/simulator/checker/check.js';
import type { FaultRecord, Operation, RunRecord } from '#src/simulator/history.js';

/**
 * How fast the checker is: `node dist/bench/checker.js [users, default 10000] [operations a user, default 100]`.
 * The goal: 1,000,000 operations of 10,000 users in at most 2 s, grouping by user included.
 */

const users = Number(process.argv[2] ?? 10_000);
const operationsPerUser = Number(process.argv[3] ?? 100);
/** Planted: one user in so many loses the session and the cart, one in so many a single acknowledged write. */
const oneInLosesSession = 10;
const oneInLosesWrite = 25;
/** From here on users also remove: carts of ten to thirty items. */
const smallCart = 20;
const stepMs = 500;
const fault: FaultRecord = {
  type: 'fault',
  id: 'kill',
  fault: 'kill',
  target: 'backend-1',
  requestedMs: 50_000,
  confirmedMs: 50_010,
  healedMs: 55_000,
};

/** Logs in, then over and over: two adds, a removal or a question who is logged in, two reads. */
function* lifeOf(index: number, losesSession: boolean, losesWrite: boolean): Generator<Partial<Operation>> {
  let cart = new Map<string, number>();
  let session = 1;
  for (let i = 0; i < operationsPerUser; i += 1) {
    if (i === 0) yield { kind: 'login', session };
    else if (losesSession && i === operationsPerUser / 2) {
      yield { kind: 'whoami', session, outcome: 'fail', status: 401, identity: null };
      cart = new Map();
      session += 1;
    } else if (losesSession && i === operationsPerUser / 2 + 1) yield { kind: 'login', session };
    else yield step(index, i, session, cart, losesWrite && i === 20);
  }
}

function step(index: number, i: number, session: number, cart: Map<string, number>, isDropped: boolean) {
  if (i % 5 < 2) {
    const token = `user-${index}-${i}`;
    if (!isDropped) cart.set(token, 1);
    return { kind: 'add' as const, session, token };
  }
  if (i % 5 > 2) return { kind: 'read' as const, session, items: itemsOf(cart) };
  const [oldest] = cart.keys();
  if (oldest === undefined || cart.size < smallCart) return { kind: 'whoami' as const, session };
  cart.delete(oldest);
  return { kind: 'remove' as const, session, token: oldest };
}

/** As it comes from the network: parsed, with strings of its own. */
function itemsOf(cart: Map<string, number>): Record<string, number> {
  return JSON.parse(JSON.stringify(Object.fromEntries(cart)));
}

/** In the order of sending, as a driver records it: the users interleaved. */
function historyOf(): RunRecord {
  const lives = Array.from({ length: users }, (_, i) =>
    lifeOf(i, i % oneInLosesSession === 3, i % oneInLosesWrite === 7),
  );
  const names = lives.map((_, i) => `user-${i}`);
  const operations: Operation[] = [];
  for (let round = 0; round < operationsPerUser; round += 1) {
    lives.forEach((life, i) => {
      const next = life.next();
      if (!next.done) operations.push(operationOf(operations.length, names[i] ?? '', round, next.value));
    });
  }
  return { header: header(), operations, phases: phases(), faults: [fault], members: [], lab: lab() };
}

function operationOf(id: number, user: string, round: number, more: Partial<Operation>): Operation {
  const sentMs = round * stepMs + ((id % users) * stepMs) / users;
  return {
    type: 'operation',
    id,
    user,
    kind: 'whoami',
    session: 1,
    plannedMs: sentMs,
    sentMs,
    doneMs: sentMs + 3 + (id % 11),
    outcome: 'ok',
    status: 200,
    identity: user,
    backend: `backend-${(id % 3) + 1}`,
    ...more,
  };
}

function header(): RunRecord['header'] {
  return {
    type: 'run',
    schema: 1,
    scenario: 'bench',
    why: 'the speed of the checker',
    mode: 'redis',
    seed: 1,
    planned: users * operationsPerUser,
    faults: [fault.id],
    expectations: [],
    versions: {},
    startedAt: '2026-01-01T00:00:00.000Z',
  };
}

function phases(): RunRecord['phases'] {
  return [{ type: 'phase', phase: 'baseline', startMs: 0, endMs: 45_000 }];
}

function lab(): RunRecord['lab'] {
  return { type: 'lab', lagMs: { p50: 0, p99: 0, max: 0 }, dropped: 0 };
}

/** What making the history left behind is not the checker's to sweep up. */
function collectGarbage(): void {
  setFlagsFromString('--expose-gc');
  runInNewContext('gc')();
}

const run = historyOf();
collectGarbage();
const cpuBefore = process.cpuUsage();
const beforeMs = performance.now();
const findings = check(run);
const seconds = (performance.now() - beforeMs) / 1000;
const cpu = process.cpuUsage(cpuBefore);
const megabytes = process.resourceUsage().maxRSS / 1024;
const rows: readonly (readonly [string, string])[] = [
  ['operations', run.operations.length.toLocaleString('en')],
  ['users', users.toLocaleString('en')],
  ['seconds', seconds.toFixed(2)],
  ['CPU seconds', `${((cpu.user + cpu.system) / 1e6).toFixed(2)}, garbage collection on all cores included`],
  ['operations/s', Math.round(run.operations.length / seconds).toLocaleString('en')],
  ['peak memory', `${Math.round(megabytes).toLocaleString('en')} MB, the history itself included`],
  ['found', `${findings.users.loggedOut} users logged out, ${findings.writes.lost} writes lost`],
];
for (const [name, value] of rows) console.log(`${name.padEnd(14)}${value}`);
