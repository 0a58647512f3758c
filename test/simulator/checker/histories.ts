import type { Findings } from '#src/simulator/checker/findings.js';
import type {
  FaultRecord,
  ListedRun,
  Operation,
  OperationKind,
  OperationOutcome,
} from '#src/simulator/history/records.js';

/**
 * Parses a history of one user from text. Operations are separated by commas. Each is sent 10 ms after the one before
 * and answered 5 ms later. The session numbers follow from the acknowledged logins.
 *
 *     login, add x, add y?, add z!, read x y*2, final read x, remove x, whoami, logout, replay
 *
 * `?` means that the outcome is unknown, and `!` that it certainly failed. A read lists its items: `x`, or `x*2` for
 * two. `login kept`: the session cookie is the same before and after the login. `read anonymous`, `whoami as bob` and
 * `replay as ann` set the user that the answer names. By default an answer names the user, and a replay is anonymous.
 * `@12-40 read x` sets when it is sent and done, and later operations follow from there.
 */
export function user(name: string, text: string): Operation[] {
  let clockMs = 0;
  let session = 0;
  return text.split(',').map((phrase, i) => {
    const words = wordsOf(phrase);
    const sentMs = words.sentMs ?? clockMs + 10;
    clockMs = sentMs;
    const operation = operationOf(name, i + 1, words, sentMs, session);
    if (operation.kind === 'login' && operation.outcome === 'ok') session += 1;
    return operation;
  });
}

interface Words {
  readonly sentMs: number | undefined;
  readonly doneMs: number | undefined;
  readonly final: boolean;
  readonly kind: OperationKind;
  readonly items: readonly string[];
  readonly outcome: OperationOutcome;
  readonly as: string | undefined;
}

const phrasePattern =
  /^(?:@(?<sent>\d+)-(?<done>\d+) )?(?<final>final )?(?<kind>login|add|remove|read|whoami|logout|replay)(?<items>(?: (?!as |anonymous)[\p{L}\d*]+)*)(?: (?<anonymous>anonymous)| as (?<as>\w+))?(?<end>[?!])?$/u;

function wordsOf(phrase: string): Words {
  const groups = phrasePattern.exec(phrase.trim())?.groups;
  if (groups === undefined) throw new Error(`no operation: "${phrase.trim()}"`);
  const { sent, done, final, kind, items = '', anonymous, as, end } = groups;
  return {
    sentMs: sent === undefined ? undefined : Number(sent),
    doneMs: done === undefined ? undefined : Number(done),
    final: final !== undefined,
    kind: kind as OperationKind,
    items: items.split(' ').filter(item => item !== ''),
    outcome: end === '?' ? 'unknown' : end === '!' || anonymous !== undefined ? 'fail' : 'ok',
    as: anonymous ?? as,
  };
}

function operationOf(name: string, id: number, words: Words, sentMs: number, session: number): Operation {
  const { kind, items, outcome, as, final, doneMs = sentMs + 5 } = words;
  const [token] = items;
  return {
    type: 'operation',
    id,
    user: name,
    kind,
    session: kind === 'login' ? session + 1 : session,
    plannedMs: sentMs,
    sentMs,
    doneMs,
    outcome,
    ...((kind === 'add' || kind === 'remove') && token !== undefined && { token }),
    ...(kind === 'read' && outcome === 'ok' && { items: cart(items) }),
    ...(kind === 'replay' && items.length > 0 && { items: cart(items) }),
    ...(kind === 'login' && token === 'kept' && { keptId: true as const }),
    ...identity(name, kind, outcome, as),
    ...(final && { final: true as const }),
  };
}

function cart(items: readonly string[]): string[] {
  return items.flatMap(item => {
    const [token = '', quantity = '1'] = item.split('*');
    return Array<string>(Number(quantity)).fill(token);
  });
}

function identity(name: string, kind: OperationKind, outcome: OperationOutcome, as: string | undefined) {
  if (as !== undefined) return { identity: as === 'anonymous' ? null : as };
  if (outcome !== 'ok') return {};
  return { identity: kind === 'replay' || kind === 'logout' ? null : name };
}

export function runOf(operations: readonly Operation[], parts: Partial<ListedRun> = {}): ListedRun {
  return {
    header: {
      type: 'run',
      schema: 1,
      scenario: 'planted',
      why: 'a history written by hand',
      mode: 'redis',
      seed: 1,
      planned: operations.length,
      faults: [],
      expectations: [],
      versions: {},
      startedAt: '2026-01-01T00:00:00.000Z',
    },
    operations,
    phases: [],
    faults: [],
    members: [],
    lab: { type: 'lab', lagMs: { p50: 0, p99: 0, max: 0 }, dropped: 0 },
    ...parts,
  };
}

export function fault(
  id: string,
  requestedMs: number,
  confirmedMs: number | null,
  healedMs: number | null,
): FaultRecord {
  return { type: 'fault', id, fault: 'kill', target: 'backend-1', requestedMs, confirmedMs, healedMs };
}

/** Returns what is wrong: every count that is not zero, except totals. `onlyMissing` counts writes that are missing and
 * not proven lost. It leaves out unverified users, which have their own test, because few of these short histories end
 * with a read. */
export function wrongs({ users, writes, guarantees }: Findings): Record<string, number> {
  const { total: _total, exposed: _exposed, present: _present, moved: _moved, ...others } = users;
  const { unverified: _unverified, ...userCounts } = others;
  const { acknowledged: _acknowledged, unknown: _unknown, missing, ...writeCounts } = writes;
  const counts = Object.entries({ ...userCounts, ...writeCounts, onlyMissing: missing - writes.lost, ...guarantees });
  return Object.fromEntries(counts.filter(([, count]) => count !== 0));
}
