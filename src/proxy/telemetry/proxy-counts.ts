import { type EngineAnswerCause, flawStatuses, type Http2Refusal, type Outcome } from '../exchange.js';
import type { TurnedAway } from '../front/frontend.js';

/** Statuses are three digits (RFC 9110 §15); anything else is counted as 0. */
const statusEnd = 1000;
/** Limit for backends with counts of their own, far above any pool. Further names are counted as `other`. */
const backendsMax = 1024;

const affinityZero = {
  bound: 0,
  none: 0,
  rebound: 0,
  forged: 0,
  expired: 0,
  unknown: 0,
  reborn: 0,
  down: 0,
  draining: 0,
};
type AttemptCounts = Record<Outcome['kind'], number>;
const attemptZero: AttemptCounts = {
  answered: 0,
  refused: 0,
  'own-failure': 0,
  'broken-off': 0,
  cut: 0,
  abandoned: 0,
};
const answerZero = { answers: 0, seconds: 0 };
const retryZero = { refused: 0, 'broken-off': 0 };
const queuedZero = { served: 0, full: 0, timeout: 0, abandoned: 0 };
const withheldZero = { timeout: 0 };
const overLimitZero = { 'address-rate': 0 };
const turnedAwayZero: Record<TurnedAway, number> = {
  limit: 0,
  'address-limit': 0,
  'proxy-untrusted': 0,
  'proxy-header': 0,
  'proxy-header-late': 0,
  'tls-handshake': 0,
  'tls-handshake-late': 0,
};
const http2RefusedZero: Record<Http2Refusal, number> = {
  malformed: 0,
  'head-too-large': 0,
  rejected: 0,
  'slow-reader': 0,
  'reset-flood': 0,
  'continuation-flood': 0,
  'settings-flood': 0,
  'ping-flood': 0,
  'priority-flood': 0,
  'unread-replies': 0,
  'invalid-frames': 0,
  'protocol-error': 0,
};

const engineAnswerZero: Record<EngineAnswerCause, number> = { ...setToZero(flawStatuses), 'client-closed': 0 };

/** All counts, as plain data that can be sent to another process. */
export interface ProxyCounts {
  readonly affinity: typeof affinityZero;
  readonly attempts: Map<string, AttemptCounts>;
  /** Without tunnels. */
  readonly answers: Map<string, typeof answerZero>;
  readonly retries: typeof retryZero;
  readonly withheld: typeof withheldZero;
  /** How the waits for a full backend ended. */
  readonly queued: typeof queuedZero;
  readonly turnedAway: typeof turnedAwayZero;
  readonly http2Refused: typeof http2RefusedZero;
  readonly overLimit: typeof overLimitZero;
  readonly engineAnswers: Record<EngineAnswerCause, number>;
  /** Indexed by status. */
  readonly answered: Float64Array;
  readonly own: Readonly<Record<'not-sent' | 'unknown', Float64Array>>;
  readonly durations: DurationCounts;
  readonly vitals: Vitals;
}

/** Returns zero counts. `durations` belongs to the histogram that measures them. */
export function createCounts(durations: DurationCounts): ProxyCounts {
  return {
    affinity: { ...affinityZero },
    attempts: new Map(),
    answers: new Map(),
    retries: { ...retryZero },
    withheld: { ...withheldZero },
    queued: { ...queuedZero },
    turnedAway: { ...turnedAwayZero },
    http2Refused: { ...http2RefusedZero },
    overLimit: { ...overLimitZero },
    engineAnswers: { ...engineAnswerZero },
    answered: new Float64Array(statusEnd),
    own: { 'not-sent': new Float64Array(statusEnd), unknown: new Float64Array(statusEnd) },
    durations,
    vitals: { ...noVitals },
  };
}

function setToZero<Name extends string>(names: Readonly<Record<Name, unknown>>): Record<Name, number> {
  const counts = {} as Record<Name, number>;
  for (const name in names) counts[name] = 0;
  return counts;
}

export function addCounts(counts: ProxyCounts, others: ProxyCounts): void {
  addEach(counts.affinity, others.affinity);
  for (const [backend, ended] of others.attempts) addEach(attemptsOn(backend, counts), ended);
  for (const [backend, more] of others.answers) addEach(answersOf(backend, counts), more);
  addEach(counts.retries, others.retries);
  addEach(counts.withheld, others.withheld);
  addEach(counts.queued, others.queued);
  addEach(counts.turnedAway, others.turnedAway);
  addEach(counts.http2Refused, others.http2Refused);
  addEach(counts.overLimit, others.overLimit);
  addEach(counts.engineAnswers, others.engineAnswers);
  addSlots(counts.answered, others.answered);
  addSlots(counts.own['not-sent'], others.own['not-sent']);
  addSlots(counts.own.unknown, others.own.unknown);
  addSlots(counts.durations.buckets, others.durations.buckets);
  counts.durations.sumMs += others.durations.sumMs;
  addEach(counts.vitals, others.vitals);
}

export function attemptsOn(backend: string, { attempts }: ProxyCounts): AttemptCounts {
  return countsOf(backend, attempts, attemptZero);
}

export function answersOf(backend: string, { answers }: ProxyCounts): typeof answerZero {
  return countsOf(backend, answers, answerZero);
}

/** Counts one answer with that status. */
export function count(counts: Float64Array, status: number): void {
  const slot = status > 99 && status < statusEnd ? status : 0;
  counts[slot] = (counts[slot] ?? 0) + 1;
}

export function sum(some: Float64Array, others: Float64Array): Float64Array {
  return some.map((value, slot) => value + (others[slot] ?? 0));
}

/** Returns the counts of a backend; a new one starts at zero. */
function countsOf<T extends object>(backend: string, all: Map<string, T>, zero: T): T {
  return all.get(backend) ?? begin(backend, all, zero);
}

function begin<T extends object>(backend: string, all: Map<string, T>, zero: T): T {
  const name = all.size < backendsMax ? backend : 'other';
  const counts = all.get(name) ?? { ...zero };
  all.set(name, counts);
  return counts;
}

function addEach<K extends string>(counts: Record<K, number>, others: Readonly<Record<K, number>>): void {
  for (const name in counts) counts[name] += others[name];
}

function addSlots(counts: Float64Array, others: Float64Array): void {
  counts.set(sum(counts, others));
}

/** Upper bounds in seconds: from a local in-memory answer to the longest wait for a response head. */
const boundsSeconds = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];

/** Plain data that can be sent to another process. */
interface DurationCounts {
  /** Not cumulative; the last one has no upper bound. */
  readonly buckets: Float64Array;
  sumMs: number;
}

/**
 * A histogram of durations for Prometheus. One observation is a search and three additions. The histogram of a metrics
 * library makes and hashes a label object each time, which is too slow for every request.
 */
export class DurationHistogram {
  readonly counts: DurationCounts = { buckets: new Float64Array(boundsSeconds.length + 1), sumMs: 0 };

  observe(durationMs: number): void {
    const seconds = durationMs / 1000;
    let bucket = 0;
    while (seconds > (boundsSeconds[bucket] ?? Number.POSITIVE_INFINITY)) bucket += 1;
    const { counts } = this;
    counts.buckets[bucket] = (counts.buckets[bucket] ?? 0) + 1;
    counts.sumMs += durationMs;
  }

  /** Returns the text format of Prometheus, where buckets are cumulative. */
  text(name: string, help: string): string {
    let total = 0;
    const buckets = [...this.counts.buckets].map((count, bucket) => {
      total += count;
      return `${name}_bucket{le="${boundsSeconds[bucket] ?? '+Inf'}"} ${total}`;
    });
    const sums = [`${name}_sum ${this.counts.sumMs / 1000}`, `${name}_count ${total}`];
    return [`# HELP ${name} ${help}`, `# TYPE ${name} histogram`, ...buckets, ...sums, ''].join('\n');
  }
}

/** Resource use of a serving process. Plain data that can be added up over several. */
interface Vitals {
  cpuSeconds: number;
  /** Time that the event loop worked (busy) and waited (idle). */
  busySeconds: number;
  idleSeconds: number;
  /** Lost lines of the access log. */
  lostLogLines: number;
  residentBytes: number;
  /** Open client connections. */
  connections: number;
  /** Requests that wait for a full backend. */
  queued: number;
}

const noVitals: Readonly<Vitals> = {
  cpuSeconds: 0,
  busySeconds: 0,
  idleSeconds: 0,
  lostLogLines: 0,
  residentBytes: 0,
  connections: 0,
  queued: 0,
};

/** Reads this process's values. It costs a few microseconds, only when asked: Node keeps them anyway. */
export function readVitals(): Omit<Vitals, 'lostLogLines' | 'connections' | 'queued'> {
  const { user, system } = process.cpuUsage();
  const { active, idle } = performance.eventLoopUtilization();
  return {
    cpuSeconds: (user + system) / 1e6,
    busySeconds: active / 1000,
    idleSeconds: idle / 1000,
    residentBytes: readResidentBytes(),
  };
}

let lastResidentBytes = 0;

/** Returns the last value when it cannot be read: it is a file, and no descriptor may be left. */
function readResidentBytes(): number {
  try {
    lastResidentBytes = process.memoryUsage.rss();
  } catch {}
  return lastResidentBytes;
}

/** Keeps the totals of an ended process and drops what it held. */
export function keepTotals(vitals: Vitals): Vitals {
  return { ...vitals, residentBytes: 0, connections: 0, queued: 0 };
}
