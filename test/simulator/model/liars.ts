import type { LabRecord, ListedRun, Operation } from '#src/simulator/history/records.js';
import { randomStream } from '#src/simulator/plan/random.js';
import { frozenCarts } from './frozen-carts.js';

/** An honest run, and a run of the same scenario whose faults are only recorded. `feigned` is undefined without
 * faults. */
export interface Cell {
  readonly honest: ListedRun;
  readonly feigned: ListedRun | undefined;
  /** Time after which a user's request times out. */
  readonly timeoutMs: number;
}

/** A system that lies, or a lab that does. */
export interface Liar {
  /** A description for people, in one sentence. */
  readonly does: string;
  /** Returns the changed history. Undefined when this lie is not possible in the cell. */
  lie(cell: Cell): ListedRun | undefined;
}

export const liars: Readonly<Record<string, Liar>> = {
  dead: {
    does: 'answers 502 to everything from the first fault to the end, the read-back included',
    lie: cell => failService(cell, () => true),
  },
  untouched: {
    does: 'has every fault confirmed and healed, and nothing of it shows',
    lie: ({ feigned }) => feigned,
  },
  frozen: {
    does: 'shows in every read the cart that the user had at the end of the baseline',
    lie: ({ honest }) => frozenCarts(honest, momentsOf(honest).baselineEndsMs),
  },
  blind: {
    does: 'answers no read after the first fault, and everything else as it should',
    lie: cell => failService(cell, ({ kind }) => kind === 'read'),
  },
  empty: {
    does: 'has users that write nothing',
    lie: ({ honest }) => removeWrites(honest),
  },
  late: {
    does: 'drops half of what the plan holds',
    lie: ({ honest, timeoutMs }) => dropHalf(honest, timeoutMs),
  },
  stranger: {
    does: 'answers one request in a thousand, and at least one, as if it were that of another user',
    lie: ({ honest }) => addStrangers(honest),
  },
  'back-dater': {
    does: 'is well after the healing, but no later read shows what was acknowledged in the phase of the faults',
    lie: ({ honest }) => hidePhase(honest),
  },
};

interface Moments {
  readonly baselineEndsMs: number;
  /** The first fault, or the end of the baseline if there is no fault. */
  readonly lieBeginsMs: number;
}

function momentsOf({ phases, faults }: ListedRun): Moments {
  const baselineEndsMs = phases.find(({ phase }) => phase === 'baseline')?.endMs ?? 0;
  return { baselineEndsMs, lieBeginsMs: faults[0]?.requestedMs ?? baselineEndsMs };
}

/**
 * Makes operations fail from the first fault on. A user that does not see its cart does not log out (see
 * `user-state.ts`). So logouts are dropped, and so are the planned logins after them.
 */
function failService({ honest, timeoutMs }: Cell, isRefused: (operation: Operation) => boolean): ListedRun {
  const { lieBeginsMs } = momentsOf(honest);
  const stayed = new Set<string>();
  /** Number of logins that did not take place: later sessions of the user have a lower number. */
  const missing = new Map<string, number>();
  const dropped: Operation[] = [];
  const operations = honest.operations.flatMap((operation): Operation[] => {
    const { user, kind, extra } = operation;
    if (operation.sentMs < lieBeginsMs || kind === 'replay') return operation.sentMs < lieBeginsMs ? [operation] : [];
    const isSecondLogin = kind === 'login' && !extra && stayed.delete(user);
    if (kind === 'logout' || isSecondLogin) {
      if (kind === 'logout') stayed.add(user);
      else missing.set(user, (missing.get(user) ?? 0) + 1);
      dropped.push(operation);
      return [];
    }
    const own = { ...operation, session: operation.session - (missing.get(user) ?? 0) };
    return [isRefused(operation) ? toRefusal(own) : own];
  });
  return { ...honest, operations, lab: addDropped(honest.lab, dropped, timeoutMs) };
}

function toRefusal({
  items: _items,
  identity: _identity,
  key: _key,
  backend: _backend,
  ...operation
}: Operation): Operation {
  const { incarnation: _incarnation, keptId: _keptId, ...rest } = operation;
  const isLook = operation.kind === 'read' || operation.kind === 'whoami';
  return { ...rest, doneMs: rest.sentMs + 2, outcome: isLook ? 'fail' : 'unknown', status: 502, error: 'status 502' };
}

function addDropped(lab: LabRecord, dropped: readonly Operation[], waitMs: number): LabRecord {
  return {
    ...lab,
    dropped: lab.dropped + dropped.length,
    droppedMs: [...(lab.droppedMs ?? []), ...dropped.map(({ plannedMs }) => plannedMs)],
    droppedWaitMs: [...(lab.droppedWaitMs ?? []), ...dropped.map(() => waitMs)],
  };
}

function removeWrites(run: ListedRun): ListedRun {
  const operations = run.operations
    .filter(({ kind }) => kind !== 'add' && kind !== 'remove')
    .map(filterItems(() => false));
  const planned = operations.filter(({ kind, final, extra }) => kind !== 'replay' && !final && !extra).length;
  return { ...run, operations, header: { ...run.header, planned } };
}

/** Drops every second add, read and whoami, and more of them until half of the plan is gone. */
function dropHalf(run: ListedRun, timeoutMs: number): ListedRun {
  const isFree = ({ kind, final, extra }: Operation) => !final && !extra && ['add', 'read', 'whoami'].includes(kind);
  const free = run.operations.filter(isFree);
  const half = Math.ceil(run.header.planned / 2) - run.lab.dropped;
  const dropped = [...free.filter((_, i) => i % 2 === 0), ...free.filter((_, i) => i % 2 === 1)].slice(
    0,
    Math.max(0, half),
  );
  const gone = new Set(dropped);
  const tokens = new Set(dropped.filter(({ kind }) => kind === 'add').map(({ token }) => token));
  const operations = run.operations
    .filter(operation => !gone.has(operation) && !(operation.kind === 'remove' && tokens.has(operation.token)))
    .map(filterItems(token => !tokens.has(token)));
  return { ...run, operations, lab: addDropped(run.lab, dropped, timeoutMs) };
}

/** Makes answers name another user. A read then shows the cart of that user. */
function addStrangers(run: ListedRun): ListedRun {
  const random = randomStream(run.header.seed, 'strangers');
  const carts = new Map<string, readonly string[]>();
  for (const { user, items } of run.operations) if (items !== undefined) carts.set(user, items);
  const named = run.operations.flatMap(({ user, identity }, i) => (identity === user ? [i] : []));
  const count = Math.max(1, Math.floor(run.operations.length / 1_000));
  const chosen = new Set(Array.from({ length: count }, () => named[Math.floor(random() * named.length)]));
  const operations = run.operations.map((operation, i) => {
    if (!chosen.has(i)) return operation;
    const others = [...carts].filter(([name]) => name !== operation.user);
    const [name, items] = others[Math.floor(random() * others.length)] ?? ['mallory', []];
    return { ...operation, identity: name, ...(operation.items !== undefined && { items }) };
  });
  return { ...run, operations };
}

/** Hides the adds of the phase of the faults from later reads. Without faults, it uses the baseline instead. */
function hidePhase(run: ListedRun): ListedRun {
  const phase = run.phases.find(one => one.phase === (run.faults.length === 0 ? 'baseline' : 'faults'));
  const [startMs, endMs] = [phase?.startMs ?? 0, phase?.endMs ?? 0];
  const isOfPhase = ({ kind, outcome, doneMs }: Operation) =>
    kind === 'add' && outcome === 'ok' && doneMs >= startMs && doneMs < endMs;
  const tokens = new Set(run.operations.filter(isOfPhase).map(({ token }) => token));
  const hide = filterItems(token => !tokens.has(token));
  const operations = run.operations.map(operation => (operation.sentMs < endMs ? operation : hide(operation)));
  return { ...run, operations };
}

function filterItems(isKept: (token: string) => boolean): (operation: Operation) => Operation {
  return operation =>
    operation.items === undefined ? operation : { ...operation, items: operation.items.filter(isKept) };
}
