import { Counter, Gauge, Registry } from 'prom-client';
import type { BackendView } from './admin.js';
import type { BackendState } from './backends.js';
import { type DurationCounts, DurationHistogram } from './duration-histogram.js';
import type { Outcome } from './exchange.js';

const prefix = 'holdfast_proxy';
const states: readonly BackendState[] = ['ready', 'draining', 'down', 'ejected'];
/** Statuses are three digits (RFC 9110 §15); anything else is counted as 0. */
const statusEnd = 1000;
/** Backends whose attempts are counted apart. Far above any pool; names beyond it are counted as `other`. */
const backendsMax = 1024;

type Sample = readonly [labels: Record<string, string | number>, value: number];

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
const attemptZero: AttemptCounts = { answered: 0, refused: 0, 'broken-off': 0, cut: 0, abandoned: 0 };
const retryZero = { refused: 0, 'broken-off': 0 };
const withheldZero = { timeout: 0 };

/** Everything that is counted, as plain data: it can be sent to another process. */
export interface ProxyCounts {
  readonly affinity: typeof affinityZero;
  readonly attempts: Map<string, AttemptCounts>;
  readonly retries: typeof retryZero;
  readonly withheld: typeof withheldZero;
  /** By status. */
  readonly answered: Float64Array;
  readonly own: Readonly<Record<'not-sent' | 'unknown', Float64Array>>;
  readonly durations: DurationCounts;
}

/**
 * Counts what the proxy does. The methods of the hot path add one to a plain number; the numbers become Prometheus
 * samples only when somebody scrapes.
 */
export class ProxyMetrics {
  readonly #registry = new Registry();
  readonly #durations = new DurationHistogram();
  readonly counts: ProxyCounts = {
    affinity: { ...affinityZero },
    attempts: new Map(),
    retries: { ...retryZero },
    withheld: { ...withheldZero },
    answered: new Float64Array(statusEnd),
    own: { 'not-sent': new Float64Array(statusEnd), unknown: new Float64Array(statusEnd) },
    durations: this.#durations.counts,
  };

  /** `list`: the backends to show beside what is counted. */
  constructor(list: () => readonly BackendView[] = () => []) {
    const { affinity, attempts, retries, withheld, answered, own } = this.counts;
    this.#counter(
      'requests_total',
      'Requests that got an answer, by status and by who gave it.',
      ['status', 'from'],
      () => [
        ...byStatus(answered, { from: 'backend' }),
        ...byStatus(sum(own['not-sent'], own.unknown), { from: 'proxy' }),
      ],
    );
    this.#counter(
      'own_answers_total',
      'Answers of the proxy itself; outcome "unknown" means that a backend may have carried the request out.',
      ['status', 'outcome'],
      () => [...byStatus(own['not-sent'], { outcome: 'not-sent' }), ...byStatus(own.unknown, { outcome: 'unknown' })],
    );
    this.#counter(
      'affinity_total',
      'What became of affinities; a loss while a request is served counts beside what its cookie said.',
      ['outcome'],
      () => labelled(affinity, 'outcome'),
    );
    this.#counter('retries_total', 'Tries on a further backend, by how the one before ended.', ['kind'], () =>
      labelled(retries, 'kind'),
    );
    this.#counter(
      'retries_withheld_total',
      'Retries that did not fit the budget, by what they followed.',
      ['after'],
      () => labelled(withheld, 'after'),
    );
    this.#counter('attempts_total', 'Tries on a backend, by how they ended.', ['backend', 'outcome'], () =>
      [...attempts].flatMap(([backend, counts]) => labelled(counts, 'outcome', { backend })),
    );
    this.#backendGauges(list);
  }

  /** What became of an affinity. A request that loses its backend while it is being served is counted again for that. */
  affinity(outcome: keyof typeof affinityZero): void {
    this.counts.affinity[outcome] += 1;
  }

  attempt(backend: string, outcome: Outcome['kind']): void {
    this.#attemptsOn(backend)[outcome] += 1;
  }

  retry(kind: 'refused' | 'broken-off'): void {
    this.counts.retries[kind] += 1;
  }

  withheldRetry(): void {
    this.counts.withheld.timeout += 1;
  }

  /** An answer that a backend gave; the time is from the request's arrival to the answer's end. */
  answered(status: number, durationMs: number): void {
    count(this.counts.answered, status);
    this.#durations.observe(durationMs);
  }

  /** An answer that the proxy gave itself. */
  refusedAnswer(status: number, outcome: 'not-sent' | 'unknown'): void {
    count(this.counts.own[outcome], status);
  }

  /** Counts on from what was counted elsewhere. */
  add({ affinity, attempts, retries, withheld, answered, own, durations }: ProxyCounts): void {
    const { counts } = this;
    addEach(counts.affinity, affinity);
    for (const [backend, ended] of attempts) addEach(this.#attemptsOn(backend), ended);
    addEach(counts.retries, retries);
    addEach(counts.withheld, withheld);
    addSlots(counts.answered, answered);
    addSlots(counts.own['not-sent'], own['not-sent']);
    addSlots(counts.own.unknown, own.unknown);
    addSlots(counts.durations.buckets, durations.buckets);
    counts.durations.sumMs += durations.sumMs;
  }

  /** Everything in the text format of Prometheus (version 0.0.4). */
  async text(): Promise<string> {
    const durations = this.#durations.text(
      `${prefix}_request_duration_seconds`,
      'From the arrival of a request to the end of the answer that a backend gave.',
    );
    return `${await this.#registry.metrics()}\n${durations}`;
  }

  #attemptsOn(backend: string): AttemptCounts {
    return this.counts.attempts.get(backend) ?? this.#newBackend(backend);
  }

  #newBackend(backend: string): AttemptCounts {
    const { attempts } = this.counts;
    const name = attempts.size < backendsMax ? backend : 'other';
    const counts = attempts.get(name) ?? { ...attemptZero };
    attempts.set(name, counts);
    return counts;
  }

  #counter(name: string, help: string, labelNames: string[], samples: () => Iterable<Sample>): void {
    const registers = [this.#registry];
    new Counter({
      name: `${prefix}_${name}`,
      help,
      labelNames,
      registers,
      collect() {
        this.reset();
        for (const [labels, value] of samples()) this.inc(labels, value);
      },
    });
  }

  #gauge(name: string, help: string, labelNames: string[], samples: () => Iterable<Sample>): void {
    const registers = [this.#registry];
    new Gauge({
      name: `${prefix}_${name}`,
      help,
      labelNames,
      registers,
      collect() {
        this.reset();
        for (const [labels, value] of samples()) this.set(labels, value);
      },
    });
  }

  #backendGauges(list: () => readonly BackendView[]): void {
    this.#gauge('backend_state', '1 for the state that the backend is in, else 0.', ['backend', 'state'], () =>
      list().flatMap(({ name, state }) =>
        states.map((each): Sample => [{ backend: name, state: each }, each === state ? 1 : 0]),
      ),
    );
    this.#gauge('backend_weight', 'What the operator gave it.', ['backend'], () =>
      list().map(({ name, weight }): Sample => [{ backend: name }, weight]),
    );
    this.#gauge('backend_share', 'Its weight, or less while it starts slowly.', ['backend'], () =>
      list().map(({ name, share }): Sample => [{ backend: name }, share]),
    );
    this.#gauge('backend_in_flight', 'Requests that the backend is answering.', ['backend'], () =>
      list().map(({ name, inFlight }): Sample => [{ backend: name }, inFlight]),
    );
    this.#gauge('backend_bound_browsers', 'Browsers that are bound to the backend.', ['backend'], () =>
      list().map(({ name, bound }): Sample => [{ backend: name }, bound]),
    );
  }
}

function count(counts: Float64Array, status: number): void {
  const slot = status > 99 && status < statusEnd ? status : 0;
  counts[slot] = (counts[slot] ?? 0) + 1;
}

function addEach(counts: Record<string, number>, others: Readonly<Record<string, number>>): void {
  for (const [name, value] of Object.entries(others)) counts[name] = (counts[name] ?? 0) + value;
}

function addSlots(counts: Float64Array, others: Float64Array): void {
  counts.set(sum(counts, others));
}

function sum(some: Float64Array, others: Float64Array): Float64Array {
  return some.map((value, slot) => value + (others[slot] ?? 0));
}

function byStatus(counts: Float64Array, labels: Record<string, string>): Sample[] {
  return [...counts.entries()]
    .filter(([, value]) => value > 0)
    .map(([status, value]) => [{ status, ...labels }, value]);
}

function labelled(counts: Record<string, number>, label: string, labels: Record<string, string> = {}): Sample[] {
  return Object.entries(counts).map(([name, value]) => [{ ...labels, [label]: name }, value]);
}
