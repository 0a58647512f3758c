import { moment } from '../words.js';
/**
 * What the report hands to its own script. Columns instead of objects: a name is written once, and a number takes only
 * its digits. `none` stands where there is nothing; words are places in a list of words.
 */
export const none = -1;

/** All modes on one clock: the same buckets for all of them. */
export interface TimelineColumns {
  readonly bucketMs: number;
  readonly endMs: number;
  readonly runs: readonly RunColumns[];
}

/** One entry for each bucket. Operations are counted where they ended, `planned` where they were due. */
export interface RunColumns {
  readonly name: string;
  readonly planned: readonly number[];
  readonly ok: readonly number[];
  readonly failed: readonly number[];
  readonly unknown: readonly number[];
  readonly timeouts: readonly number[];
  readonly dropped: readonly number[];
  /** Response times in milliseconds; null where nothing ended. */
  readonly p50: readonly (number | null)[];
  readonly p99: readonly (number | null)[];
  readonly max: readonly (number | null)[];
  readonly lostSoFar: readonly number[];
  readonly loggedOutSoFar: readonly number[];
  /** What was out of the ordinary: in words, from, to (milliseconds). */
  readonly spans: readonly (readonly [string, number, number])[];
}

/** The incidents of one run and the whole stories of the users whom they befell. Times are microseconds. */
export interface CaseFile {
  readonly words: readonly string[];
  readonly incidents: IncidentColumns;
  readonly stories: StoryColumns;
}

/** The lost writes stand last, from `lostFrom` on. */
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
  /** The faults that may have caused it, in one word: `cut, kill`, `unexplained`. */
  readonly cause: readonly number[];
  /** The operations that prove it, by id: acknowledged, seen. */
  readonly proof: readonly (readonly number[])[];
}

export interface StoryColumns {
  /** One entry for each user: who, and the place of the first operation; the next user's is the end. */
  readonly user: readonly number[];
  readonly first: readonly number[];
  /** One entry for each operation, user by user, in the order of sending. */
  readonly operations: OperationColumns;
}

export interface OperationColumns {
  readonly id: readonly number[];
  readonly kind: readonly number[];
  readonly session: readonly number[];
  readonly token: readonly number[];
  readonly planned: readonly number[];
  /** From planned to sent, and from sent to done. */
  readonly waited: readonly number[];
  readonly took: readonly number[];
  readonly outcome: readonly number[];
  readonly status: readonly number[];
  readonly error: readonly number[];
  /** `none`: the answer did not say; the empty word: nobody. */
  readonly identity: readonly number[];
  readonly backend: readonly number[];
  readonly incarnation: readonly number[];
  /** How many different things a read showed. */
  readonly items: readonly number[];
  /** What is no part of the plan, in words: the read-back, an extra login. */
  readonly remark: readonly number[];
}

/** Titles of the columns of a table of incidents; a table of lost writes has all but the first. */
export const incidentTitles = [
  'what',
  'user',
  'item',
  'acknowledged',
  'by',
  'last seen',
  'wrong at',
  'said by',
  'shape',
  'possible cause',
] as const;

/** The column that opens the user's story. */
export const userColumn = 1;

/** What stands in one row, in the order of the titles. */
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
