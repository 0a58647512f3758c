import { moment } from '../numbers.js';
/**
 * The data that the report passes to its script. It has columns instead of objects, so each name is written only once.
 * `none` means no value. Texts are indexes into a list of words.
 */
export const none = -1;

/** The timeline data. All modes have the same buckets. */
export interface TimelineColumns {
  readonly bucketMs: number;
  readonly endMs: number;
  readonly runs: readonly RunColumns[];
}

/** One entry for each bucket. Operations count when they ended; `planned` counts them when they were due. */
export interface RunColumns {
  readonly name: string;
  readonly planned: readonly number[];
  readonly ok: readonly number[];
  readonly failed: readonly number[];
  readonly unknown: readonly number[];
  readonly timeouts: readonly number[];
  readonly dropped: readonly number[];
  /** Response times in milliseconds; null when no operation ended. */
  readonly p50: readonly (number | null)[];
  readonly p99: readonly (number | null)[];
  readonly max: readonly (number | null)[];
  readonly lostSoFar: readonly number[];
  readonly loggedOutSoFar: readonly number[];
  /** Faults and states of processes: text, start and end in milliseconds. */
  readonly spans: readonly (readonly [string, number, number])[];
}

/** The incidents of one run and the whole stories of the affected users. Times are in microseconds. */
export interface CaseFile {
  readonly words: readonly string[];
  readonly incidents: IncidentColumns;
  readonly stories: StoryColumns;
}

/** The columns of the incidents. The lost writes are last, from index `lostFrom` on. */
export interface IncidentColumns {
  readonly lostFrom: number;
  readonly kind: readonly number[];
  readonly user: readonly number[];
  readonly token: readonly number[];
  readonly since: readonly number[];
  readonly ackBackend: readonly number[];
  /** The end of the last read that showed a lost write. */
  readonly lastSeen: readonly number[];
  readonly seen: readonly number[];
  readonly seenBackend: readonly number[];
  readonly shape: readonly number[];
  /** The faults that may have caused it: `cut, kill`, or `unexplained`. */
  readonly cause: readonly number[];
  /** The ids of the operations that prove it: the acknowledged one, then those that saw it. */
  readonly proof: readonly (readonly number[])[];
}

export interface StoryColumns {
  /**
   * One entry for each user: the name, and in `first` the index of the first operation. The next user's `first` is the
   * end.
   */
  readonly user: readonly number[];
  readonly first: readonly number[];
  /** One entry for each operation, user by user, in the order of sending. */
  readonly operations: OperationColumns;
}

interface OperationColumns {
  readonly id: readonly number[];
  readonly kind: readonly number[];
  readonly session: readonly number[];
  readonly token: readonly number[];
  readonly planned: readonly number[];
  /** `waited`: from planned to sent. `took`: from sent to done. */
  readonly waited: readonly number[];
  readonly took: readonly number[];
  readonly outcome: readonly number[];
  readonly status: readonly number[];
  readonly error: readonly number[];
  /** `none`: the answer named no user. An empty word: the visitor was anonymous. */
  readonly identity: readonly number[];
  readonly backend: readonly number[];
  readonly incarnation: readonly number[];
  /** How many different items a read showed. */
  readonly items: readonly number[];
  /** A remark on operations outside the plan, such as the read-back or an extra login. */
  readonly remark: readonly number[];
}

/** Column titles of a table of incidents. A table of lost writes has all but the first. */
export const incidentTitles = [
  'what',
  'user',
  'item',
  'acknowledged',
  'by',
  'last seen',
  'wrong at',
  'shown by',
  'shape',
  'possible cause',
] as const;

/** The column that opens the user's story. */
export const userColumn = 1;

/** Returns the texts of one row, in the order of the titles. */
export function incidentCells({ words, incidents }: CaseFile, index: number): string[] {
  const word = (column: readonly number[]) => wordAt(words, column[index]);
  const time = (column: readonly number[]) => timeAt(column[index]);
  return [
    word(incidents.kind),
    word(incidents.user),
    word(incidents.token),
    time(incidents.since),
    word(incidents.ackBackend),
    time(incidents.lastSeen),
    time(incidents.seen),
    word(incidents.seenBackend),
    word(incidents.shape),
    word(incidents.cause),
  ];
}

export function wordAt(words: readonly string[], place: number | undefined): string {
  return place === undefined || place === none ? '–' : (words[place] ?? '–');
}

function timeAt(microseconds: number | undefined): string {
  return microseconds === undefined || microseconds === none ? '–' : moment(microseconds / 1000);
}
