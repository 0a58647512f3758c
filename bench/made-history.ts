import type { FaultRecord, ListedRun, Operation, RunRecord } from '#src/simulator/history/records.js';

export interface Made {
  readonly users: number;
  readonly operationsPerUser: number;
  /** Planted: one user in so many loses the session and the cart … */
  readonly oneInLosesSession?: number;
}

/** … and one in so many a single acknowledged write. */
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
function* lifeOf(
  index: number,
  operationsPerUser: number,
  losesSession: boolean,
  losesWrite: boolean,
): Generator<Partial<Operation>> {
  let cart = new Set<string>();
  let session = 1;
  for (let i = 0; i < operationsPerUser; i += 1) {
    if (i === 0) yield { kind: 'login', session };
    else if (losesSession && i === operationsPerUser / 2) {
      yield { kind: 'whoami', session, outcome: 'fail', status: 401, identity: null };
      cart = new Set();
      session += 1;
    } else if (losesSession && i === operationsPerUser / 2 + 1) yield { kind: 'login', session };
    else yield step(index, i, session, cart, losesWrite && i === 20);
  }
}

function step(index: number, i: number, session: number, cart: Set<string>, isDropped: boolean) {
  if (i % 5 < 2) {
    const token = `user-${index}-${i}`;
    if (!isDropped) cart.add(token);
    return { kind: 'add' as const, session, token };
  }
  if (i % 5 > 2) return { kind: 'read' as const, session, items: itemsOf(cart) };
  const [oldest] = cart.keys();
  if (oldest === undefined || cart.size < smallCart) return { kind: 'whoami' as const, session };
  cart.delete(oldest);
  return { kind: 'remove' as const, session, token: oldest };
}

/** As it comes from the network: parsed, with strings of its own. */
function itemsOf(cart: ReadonlySet<string>): string[] {
  return JSON.parse(JSON.stringify([...cart]));
}

/** So many users, each doing so many things, in the order of sending as a driver records it: the users interleaved. */
export function madeHistory(made: Made): ListedRun {
  return { ...parts(made), operations: [...madeOperations(made)] };
}

/** The same, whose operations are made one by one when they are asked for. */
export function unmadeHistory(made: Made): RunRecord {
  const length = made.users * made.operationsPerUser;
  return { ...parts(made), operations: { length, [Symbol.iterator]: () => madeOperations(made) } };
}

function parts({ users, operationsPerUser }: Made): Omit<RunRecord, 'operations'> {
  return { header: header(users * operationsPerUser), phases: phases(), faults: [fault], members: [], lab: lab() };
}

function* madeOperations({ users, operationsPerUser, oneInLosesSession = 10 }: Made): Generator<Operation> {
  const lives = Array.from({ length: users }, (_, i) =>
    lifeOf(i, operationsPerUser, i % oneInLosesSession === 3 % oneInLosesSession, i % oneInLosesWrite === 7),
  );
  const names = lives.map((_, i) => `user-${i}`);
  let id = 0;
  for (let round = 0; round < operationsPerUser; round += 1) {
    for (const [i, life] of lives.entries()) {
      const next = life.next();
      if (next.done) continue;
      yield operationOf(id, users, names[i] ?? '', round, next.value);
      id += 1;
    }
  }
}

function operationOf(id: number, users: number, user: string, round: number, more: Partial<Operation>): Operation {
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

function header(planned: number): RunRecord['header'] {
  return {
    type: 'run',
    schema: 1,
    scenario: 'bench',
    why: 'how fast a history is checked and reported',
    mode: 'redis',
    seed: 1,
    planned,
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
