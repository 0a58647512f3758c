import type { FaultRecord, ListedRun, Operation, RunRecord } from '#src/simulator/history/records.js';

export interface Made {
  readonly users: number;
  readonly operationsPerUser: number;
  /** Planted losses: one user in this number loses the session and the cart. */
  readonly oneInLosesSession?: number;
}

/** Planted losses: one user in this number loses a single acknowledged write. */
const oneInLosesWrite = 25;
/** With more items users also remove some, so that carts hold ten to thirty items. */
const smallCart = 20;
const stepMs = 500;
/** Duration of the slowest answer. */
const maxMs = 13;
const backends = ['backend-1', 'backend-2', 'backend-3'];

/**
 * Makes a fault in the middle of the run that lasts a tenth of it, so that there are reads before, during and after it.
 */
function faultOf({
  operationsPerUser,
}: Made): FaultRecord & { readonly confirmedMs: number; readonly healedMs: number } {
  const requestedMs = (operationsPerUser / 2) * stepMs;
  const healRequestedMs = requestedMs + (operationsPerUser / 10) * stepMs;
  return {
    type: 'fault',
    id: 'kill',
    fault: 'kill',
    target: 'backend-1',
    requestedMs,
    confirmedMs: requestedMs + 10,
    healRequestedMs,
    healedMs: healRequestedMs + 100,
    expects: { kind: 'silent', member: 'backend-1' },
  };
}

/** Generates the operations of one user: a login, then repeatedly two adds, a removal or a whoami, and two reads. */
function* generateUser(
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

/** Copies the items through JSON, so that each read has its own strings, as from the network. */
function itemsOf(cart: ReadonlySet<string>): string[] {
  return JSON.parse(JSON.stringify([...cart]));
}

/** Makes a history with interleaved users, in the order of sending, as a driver records it. */
export function makeHistory(made: Made): ListedRun {
  return { ...parts(made), operations: [...madeOperations(made)] };
}

/** Returns the same run, but generates its operations on demand and does not store them. */
export function streamHistory(made: Made): RunRecord {
  const length = made.users * made.operationsPerUser;
  return { ...parts(made), operations: { length, [Symbol.iterator]: () => madeOperations(made) } };
}

function parts(made: Made): Omit<RunRecord, 'operations'> {
  const { users, operationsPerUser } = made;
  const fault = faultOf(made);
  const phases = [{ type: 'phase', phase: 'baseline', startMs: 0, endMs: fault.requestedMs }] as const;
  return { header: header(users * operationsPerUser, fault), phases, faults: [fault], members: [], lab: lab() };
}

function* madeOperations(made: Made): Generator<Operation> {
  const { users, operationsPerUser, oneInLosesSession = 10 } = made;
  const fault = faultOf(made);
  const lives = Array.from({ length: users }, (_, i) =>
    generateUser(i, operationsPerUser, i % oneInLosesSession === 3 % oneInLosesSession, i % oneInLosesWrite === 7),
  );
  const names = lives.map((_, i) => `user-${i}`);
  let id = 0;
  for (let round = 0; round < operationsPerUser; round += 1) {
    for (const [i, life] of lives.entries()) {
      const next = life.next();
      if (next.done) continue;
      yield operationOf({ id, users, user: names[i] ?? '', round, fault }, next.value);
      id += 1;
    }
  }
}

interface Turn {
  readonly id: number;
  readonly users: number;
  readonly user: string;
  readonly round: number;
  readonly fault: ReturnType<typeof faultOf>;
}

function operationOf({ id, users, user, round, fault }: Turn, more: Partial<Operation>): Operation {
  // Rounded to the microsecond, like the clock of a run.
  const sentMs = round * stepMs + Math.floor(((id % users) * stepMs * 1000) / users) / 1000;
  const isStruck = sentMs + maxMs >= fault.confirmedMs && sentMs <= fault.healedMs;
  const up = isStruck ? backends.slice(1) : backends;
  return {
    type: 'operation',
    id,
    user,
    kind: 'whoami',
    session: 1,
    plannedMs: sentMs,
    sentMs,
    doneMs: sentMs + 3 + (id % (maxMs - 2)),
    outcome: 'ok',
    status: 200,
    identity: user,
    backend: up[id % up.length] ?? '',
    ...more,
  };
}

function header(planned: number, { id }: FaultRecord): RunRecord['header'] {
  return {
    type: 'run',
    schema: 1,
    scenario: 'bench',
    why: 'how fast a history is checked and reported',
    mode: 'redis',
    seed: 1,
    planned,
    faults: [id],
    system: {
      members: backends.map(name => ({ name, role: 'backend' })),
      keeps: 'store',
      stores: ['redis'],
      affinity: false,
    },
    expectations: ['writes.lost == 0', 'requests.failed during kill < 1 %'],
    versions: {},
    startedAt: '2026-01-01T00:00:00.000Z',
  };
}

function lab(): RunRecord['lab'] {
  return { type: 'lab', lagMs: { p50: 0, p99: 0, max: 0 }, dropped: 0 };
}
