import { check } from '../../simulator/checker/check.js';
import type { Incident, IncidentKind } from '../../simulator/checker/findings.js';
import type { JudgedRun } from '../../simulator/checker/verdict/verdict.js';
import type { ListedRun, Operation } from '../../simulator/history/records.js';
import { type CaseFile, type IncidentColumns, none, type StoryColumns } from '../browser/columns.js';

/** The worst kind first: a hundred stale reads must not hide the one user who saw the cart of another user. Lost writes
 * come last, because they have a separate table. */
const order: readonly IncidentKind[] = [
  'identity-swapped',
  'phantom',
  'logout-not-honoured',
  'session-kept',
  'logged-out',
  'resurrected',
  'duplicated',
  'failed-visible',
  'stale',
  'lost',
];

/** The data behind the tables of one run, in the order of their rows, and how much of it the report holds. */
export interface Cases {
  readonly file: CaseFile;
  readonly incidents: readonly Incident[];
  /** Number of users with an incident whose story is left out because the file would be too large. */
  readonly untold: number;
}

/** Collects complete stories, the worst first, until they hold `operationsMax` operations. */
export function casesOf({ run, findings }: JudgedRun, operationsMax: number): Cases {
  const incidents = sortWorstFirst(findings.incidents);
  const byUser = operationsOf(new Set(incidents.map(({ user }) => user)), run.operations);
  const told = withinLimit(byUser, operationsMax);
  return { file: buildFile(incidents, byUser, told, new WordList()), incidents, untold: byUser.size - told.length };
}

/** The story of one user, with or without incidents. `user` is an index into `file.words`. */
interface UserCase {
  readonly file: CaseFile;
  readonly user: number;
}

/** Judges one user and returns its whole story. Undefined when the run holds no operation of it. */
export function caseOfUser(run: ListedRun, name: string): UserCase | undefined {
  const operations = run.operations.filter(({ user }) => user === name);
  if (operations.length === 0) return undefined;
  const incidents = sortWorstFirst(check({ ...run, operations }).incidents);
  const byUser = operationsOf(new Set([name]), operations);
  const words = new WordList();
  const user = words.place(name);
  return { file: buildFile(incidents, byUser, [...byUser], words), user };
}

/**
 * Returns the faults that may have caused an incident: `cut, kill`, or `unexplained`. Undefined when no fault struck.
 */
export function describeCause({ candidates, fault }: Incident): string | undefined {
  if (candidates === undefined) return fault;
  return candidates.length === 0 ? 'unexplained' : candidates.join(', ');
}

function sortWorstFirst(incidents: readonly Incident[]): Incident[] {
  return incidents.toSorted((a, b) => order.indexOf(a.kind) - order.indexOf(b.kind) || a.seenMs - b.seenMs);
}

function buildFile(
  incidents: readonly Incident[],
  byUser: ReadonlyMap<string, Operation[]>,
  told: readonly (readonly [string, readonly Operation[]])[],
  words: WordList,
): CaseFile {
  const columns = incidentColumns(incidents, lastSeenOf(incidents, byUser), words);
  const stories = storyColumns(told, words);
  return { incidents: columns, stories, words: words.all };
}

/** Groups the operations by user, in the order of the set. */
function operationsOf(users: ReadonlySet<string>, operations: Iterable<Operation>): Map<string, Operation[]> {
  const byUser = new Map([...users].map((user): [string, Operation[]] => [user, []]));
  for (const operation of operations) byUser.get(operation.user)?.push(operation);
  for (const own of byUser.values()) own.sort((a, b) => a.sentMs - b.sentMs);
  return byUser;
}

function withinLimit(byUser: ReadonlyMap<string, Operation[]>, max: number): [string, Operation[]][] {
  let sum = 0;
  return [...byUser].filter(([, operations]) => {
    sum += operations.length;
    return sum <= max;
  });
}

/** Finds the end of the last read that showed each lost write. */
function lastSeenOf(
  incidents: readonly Incident[],
  byUser: ReadonlyMap<string, readonly Operation[]>,
): ReadonlyMap<Incident, number> {
  const last = new Map<Incident, number>();
  for (const [user, losses] of lossesByUser(incidents)) {
    for (const { items = [], doneMs } of byUser.get(user) ?? []) {
      for (const token of items) {
        const loss = losses.get(token);
        if (loss !== undefined) last.set(loss, Math.max(doneMs, last.get(loss) ?? 0));
      }
    }
  }
  return last;
}

/** Groups the lost writes by user and token. Each token is lost at most once. */
function lossesByUser(incidents: readonly Incident[]): ReadonlyMap<string, ReadonlyMap<string, Incident>> {
  const byUser = new Map<string, Map<string, Incident>>();
  for (const loss of incidents) {
    if (loss.kind !== 'lost' || loss.token === undefined) continue;
    const own = byUser.get(loss.user) ?? new Map<string, Incident>();
    byUser.set(loss.user, own.set(loss.token, loss));
  }
  return byUser;
}

function incidentColumns(
  incidents: readonly Incident[],
  lastSeen: ReadonlyMap<Incident, number>,
  words: WordList,
): IncidentColumns {
  const lostFrom = incidents.findIndex(({ kind }) => kind === 'lost');
  const word = (of: (incident: Incident) => string | undefined) => incidents.map(each => words.place(of(each)));
  return {
    lostFrom: lostFrom < 0 ? incidents.length : lostFrom,
    kind: word(({ kind }) => kind),
    user: word(({ user }) => user),
    token: word(({ token }) => token),
    since: incidents.map(({ sinceMs }) => microseconds(sinceMs)),
    ackBackend: word(({ ackBackend }) => ackBackend),
    lastSeen: incidents.map(incident => microseconds(lastSeen.get(incident))),
    seen: incidents.map(({ seenMs }) => microseconds(seenMs)),
    seenBackend: word(({ seenBackend }) => seenBackend),
    shape: word(({ shape, loggedOut }) => shape ?? loggedOut),
    cause: word(describeCause),
    proof: incidents.map(({ operations }) => operations),
  };
}

function storyColumns(told: readonly (readonly [string, readonly Operation[]])[], words: WordList): StoryColumns {
  const all = told.flatMap(([, operations]) => operations);
  const first: number[] = [];
  let length = 0;
  for (const [, operations] of told) {
    first.push(length);
    length += operations.length;
  }
  const word = (of: (operation: Operation) => string | undefined) => all.map(each => words.place(of(each)));
  return {
    user: told.map(([user]) => words.place(user)),
    first,
    operations: {
      id: all.map(({ id }) => id),
      kind: word(({ kind }) => kind),
      session: all.map(({ session }) => session),
      token: word(({ token }) => token),
      planned: all.map(({ plannedMs }) => microseconds(plannedMs)),
      waited: all.map(({ plannedMs, sentMs }) => microseconds(sentMs - plannedMs)),
      took: all.map(({ sentMs, doneMs }) => microseconds(doneMs - sentMs)),
      outcome: word(({ outcome }) => outcome),
      status: all.map(({ status }) => status ?? none),
      error: word(({ error }) => error),
      identity: word(({ identity }) => (identity === null ? '' : identity)),
      backend: word(({ backend }) => backend),
      incarnation: word(({ incarnation }) => incarnation),
      items: all.map(({ items }) => (items === undefined ? none : items.length)),
      remark: word(({ final, extra }) => (final ? 'read-back' : extra ? 'not in the plan' : undefined)),
    },
  };
}

function microseconds(ms: number | undefined): number {
  return ms === undefined ? none : Math.round(ms * 1000);
}

/** A list of distinct texts. It gives each text an index, the same index for the same text. */
class WordList {
  readonly #places = new Map<string, number>();

  place(text: string | undefined): number {
    if (text === undefined) return none;
    const known = this.#places.get(text);
    if (known !== undefined) return known;
    this.#places.set(text, this.#places.size);
    return this.#places.size - 1;
  }

  get all(): readonly string[] {
    return [...this.#places.keys()];
  }
}
