import type { Incident } from '../../simulator/checker/findings.js';
import type { JudgedRun } from '../../simulator/checker/verdict/verdict.js';
import {
  type FaultRecord,
  lastMomentOf,
  type MemberRecord,
  type OperationOutline,
  outlinesOf,
  type PhaseRecord,
  type RunRecord,
} from '../../simulator/history/records.js';

/** The data for the timeline of one run. Its size does not depend on the number of operations or incidents. */
export interface Timeline {
  /** The end of the longest run. */
  readonly endMs: number;
  /** The end of this one. */
  readonly ownEndMs: number;
  readonly bucketMs: number;
  readonly buckets: readonly Bucket[];
  readonly phases: readonly PhaseRecord[];
  readonly faults: readonly FaultRecord[];
  readonly members: readonly MemberLife[];
  readonly users: number;
  readonly acknowledged: number;
  /** Writes that the last good read missed, and that are not proven lost. */
  readonly missing: number;
  readonly dropped: number;
  readonly losses: TimelineOfRun;
  readonly logouts: TimelineOfRun;
}

/** Counts of one time bucket. Operations count when they ended, so that no effect precedes its cause; `planned` counts
 * them when they were due. */
export interface Bucket {
  planned: number;
  ok: number;
  failed: number;
  unknown: number;
  timeouts: number;
  /** Planned operations that the driver never sent, counted when they were due. */
  dropped: number;
  /** Response times; null when no operation ended. */
  p50: number | null;
  p99: number | null;
  max: number | null;
  /** From the start of the run to the end of this bucket. */
  lostSoFar: number;
  loggedOutSoFar: number;
}

export interface MemberLife {
  readonly name: string;
  readonly spans: readonly {
    readonly state: MemberRecord['state'];
    readonly role?: string;
    readonly startMs: number;
    readonly endMs: number;
  }[];
}

/** Some of the incidents, evenly chosen, and how many there are. */
export interface TimelineOfRun {
  readonly incidents: readonly Incident[];
  readonly total: number;
}

const bucketsMax = 400;
const drawnMax = 300;
const bucketWidthsMs = [100, 200, 500, 1_000, 2_000, 5_000, 10_000, 30_000, 60_000];

/** Makes the timelines of all runs with the same time axis and the same bucket width. */
export function timelinesOf(runs: readonly JudgedRun[]): readonly Timeline[] {
  const endMs = runs.reduce((last, { run }) => Math.max(last, lastMomentOf(run)), 1);
  const bucketMs =
    bucketWidthsMs.find(width => endMs / width <= bucketsMax) ?? Math.ceil(endMs / bucketsMax / 60_000) * 60_000;
  return runs.map(judged => timelineOf(judged, endMs, bucketMs));
}

function timelineOf({ run, findings }: JudgedRun, endMs: number, bucketMs: number): Timeline {
  const ownEndMs = Math.max(1, lastMomentOf(run));
  const lost = findings.incidents.filter(({ kind }) => kind === 'lost');
  const loggedOut = firstPerUser(findings.incidents.filter(({ kind }) => kind === 'logged-out'));
  const buckets = bucketsOf(outlinesOf(run.operations), Math.ceil(endMs / bucketMs), bucketMs);
  for (const ms of run.lab.droppedMs ?? []) {
    const bucket = buckets[place(ms, buckets.length, bucketMs)];
    if (bucket !== undefined) bucket.dropped += 1;
  }
  accumulate(buckets, 'lostSoFar', lost, bucketMs);
  accumulate(buckets, 'loggedOutSoFar', loggedOut, bucketMs);
  return {
    endMs,
    ownEndMs,
    bucketMs,
    buckets,
    phases: run.phases,
    faults: run.faults,
    members: livesOf(run.members, ownEndMs).filter(life => wasStarted(life, run)),
    users: findings.users.total,
    acknowledged: findings.writes.acknowledged,
    missing: findings.writes.missing - findings.writes.lost,
    dropped: findings.requests.dropped,
    losses: { incidents: thinOut(lost, drawnMax), total: findings.writes.lost },
    logouts: { incidents: thinOut(loggedOut, drawnMax), total: findings.users.loggedOut },
  };
}

function bucketsOf(operations: Iterable<OperationOutline>, length: number, bucketMs: number): Bucket[] {
  const buckets = Array.from({ length }, emptyBucket);
  const latencies: number[][] = buckets.map(() => []);
  for (const operation of operations) {
    const { plannedMs, doneMs } = operation;
    const due = buckets[place(plannedMs, length, bucketMs)];
    if (due !== undefined) due.planned += 1;
    const index = place(doneMs, length, bucketMs);
    const ended = buckets[index];
    if (ended !== undefined) tally(ended, operation);
    latencies[index]?.push(doneMs - plannedMs);
  }
  buckets.forEach((bucket, index) => {
    const sorted = Float64Array.from(latencies[index] ?? []).sort();
    bucket.p50 = percentile(sorted, 0.5);
    bucket.p99 = percentile(sorted, 0.99);
    bucket.max = sorted.at(-1) ?? null;
  });
  return buckets;
}

function tally(bucket: Bucket, { outcome, error }: OperationOutline): void {
  bucket[outcome === 'fail' ? 'failed' : outcome] += 1;
  if (error !== undefined && /time-?d?out/i.test(error)) bucket.timeouts += 1;
}

function emptyBucket(): Bucket {
  const counts = { planned: 0, ok: 0, failed: 0, unknown: 0, timeouts: 0, dropped: 0 };
  return { ...counts, p50: null, p99: null, max: null, lostSoFar: 0, loggedOutSoFar: 0 };
}

function place(ms: number, length: number, bucketMs: number): number {
  return Math.max(0, Math.min(length - 1, Math.floor(ms / bucketMs)));
}

/** Returns a percentile by the nearest-rank method. */
function percentile(sorted: Float64Array, share: number): number | null {
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? null;
}

function accumulate(
  buckets: readonly Bucket[],
  field: 'lostSoFar' | 'loggedOutSoFar',
  incidents: readonly Incident[],
  bucketMs: number,
): void {
  for (const { seenMs } of incidents) {
    const bucket = buckets[place(seenMs, buckets.length, bucketMs)];
    if (bucket !== undefined) bucket[field] += 1;
  }
  let sum = 0;
  for (const bucket of buckets) {
    sum += bucket[field];
    bucket[field] = sum;
  }
}

function firstPerUser(incidents: readonly Incident[]): Incident[] {
  const first = new Map<string, Incident>();
  for (const incident of incidents) {
    const known = first.get(incident.user);
    if (known === undefined || incident.seenMs < known.seenMs) first.set(incident.user, incident);
  }
  return [...first.values()];
}

function livesOf(records: readonly MemberRecord[], endMs: number): MemberLife[] {
  const recordsByMember = new Map<string, MemberRecord[]>();
  for (const record of [...records].sort((a, b) => a.atMs - b.atMs)) {
    recordsByMember.set(record.member, [...(recordsByMember.get(record.member) ?? []), record]);
  }
  return [...recordsByMember].map(([name, lives]) => ({
    name,
    spans: lives.map(({ state, role, atMs }, index) => ({
      state,
      ...(role === undefined ? {} : { role }),
      startMs: atMs,
      endMs: lives[index + 1]?.atMs ?? endMs,
    })),
  }));
}

/** Returns false for a spare backend that the run never started. */
function wasStarted({ name, spans }: MemberLife, { faults }: RunRecord): boolean {
  return spans.some(({ state }) => state !== 'dead') || faults.some(({ target }) => target.includes(name));
}

/** Picks at most `max` incidents, evenly spread over the times at which they were seen. */
function thinOut(incidents: readonly Incident[], max: number): readonly Incident[] {
  const ordered = [...incidents].sort((a, b) => a.seenMs - b.seenMs || a.sinceMs - b.sinceMs);
  if (ordered.length <= max) return ordered;
  return Array.from({ length: max }, (_, index) => ordered[Math.floor((index * ordered.length) / max)]).filter(
    incident => incident !== undefined,
  );
}
