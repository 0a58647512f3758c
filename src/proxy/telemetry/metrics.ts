import { Counter, Gauge, Registry } from 'prom-client';
import type { BackendState, BackendView } from '../backends.js';
import {
  type EngineAnswer,
  type EngineAnswerCause,
  flawStatuses,
  type Http2Refusal,
  type Outcome,
} from '../exchange.js';
import type { TurnedAway } from '../front/frontend.js';
import {
  addCounts,
  answersOf,
  attemptsOn,
  count,
  createCounts,
  DurationHistogram,
  type ProxyCounts,
  sum,
} from './proxy-counts.js';

const prefix = 'holdfast_proxy';
const states: readonly BackendState[] = ['ready', 'draining', 'down', 'ejected'];

type Sample = readonly [labels: Record<string, string | number>, value: number];

/** Facts about the proxy as a whole, whatever the number of processes. */
interface ProxyFacts {
  readonly version: string;
  readonly engine: string;
  /** The most requests that may wait for full backends. */
  readonly queueMax: number;
  readonly startedMs: number;
  readonly reloads: Readonly<Record<'applied' | 'refused', number>>;
  /** When new options were last applied; the start time if they never were. */
  readonly reloadedMs: number;
}

/**
 * Counts what the proxy does. Hot-path methods only add one to a plain number. The numbers become Prometheus samples
 * when they are scraped.
 */
export class ProxyMetrics {
  readonly #registry = new Registry();
  readonly #durations = new DurationHistogram();
  readonly counts: ProxyCounts = createCounts(this.#durations.counts);

  /** `list` and `facts` provide what is shown beside the counts. */
  constructor(list: () => readonly BackendView[] = () => [], facts?: ProxyFacts) {
    const { affinity, attempts, retries, withheld, queued, turnedAway, overLimit, http2Refused, answered, own } =
      this.counts;
    this.#counter('requests_total', 'Requests that got an answer, by status and source.', ['status', 'from'], () => [
      ...buildStatusSamples(answered, { from: 'backend' }),
      ...buildStatusSamples(sum(own['not-sent'], own.unknown), { from: 'proxy' }),
    ]);
    this.#counter(
      'own_answers_total',
      'Answers of the proxy itself; outcome "unknown" means that a backend may have carried out the request.',
      ['status', 'outcome'],
      () => [
        ...buildStatusSamples(own['not-sent'], { outcome: 'not-sent' }),
        ...buildStatusSamples(own.unknown, { outcome: 'unknown' }),
      ],
    );
    this.#counter(
      'affinity_total',
      'Affinity outcomes; a request that loses its backend while it is served is counted a second time.',
      ['outcome'],
      () => labelSamples(affinity, 'outcome'),
    );
    this.#counter('retries_total', 'Retries on another backend, by how the previous attempt ended.', ['kind'], () =>
      labelSamples(retries, 'kind'),
    );
    this.#counter('retries_withheld_total', 'Retries that did not fit the budget, by their cause.', ['after'], () =>
      labelSamples(withheld, 'after'),
    );
    this.#counter('queued_requests_total', 'Requests that found their backends full, by outcome.', ['outcome'], () =>
      labelSamples(queued, 'outcome'),
    );
    this.#counter(
      'connections_turned_away_total',
      'Connections closed before their first request: one too many, a wrong PROXY header, no TLS handshake.',
      ['reason'],
      () => labelSamples(turnedAway, 'reason'),
    );
    this.#counter('requests_over_limit_total', 'Requests that exceeded a limit of their client.', ['reason'], () =>
      labelSamples(overLimit, 'reason'),
    );
    this.#counter(
      'http2_refused_total',
      'HTTP/2 streams that were refused, and HTTP/2 connections that were closed, by reason.',
      ['reason'],
      () => labelSamples(http2Refused, 'reason'),
    );
    this.#counter(
      'engine_answers_total',
      'Requests that were malformed, late or too large, answered before a backend; status "none": closed without an answer.',
      ['status', 'reason'],
      () => listEngineAnswers(this.counts),
    );
    this.#counter('attempts_total', 'Attempts on a backend, by outcome.', ['backend', 'outcome'], () =>
      [...attempts].flatMap(([backend, counts]) => labelSamples(counts, 'outcome', { backend })),
    );
    this.#answers();
    this.#backendGauges(list);
    this.#vitals();
    if (facts !== undefined) this.#facts(facts);
  }

  /** Counts an affinity outcome. A request that loses its backend while it is served is counted a second time. */
  affinity(outcome: keyof ProxyCounts['affinity']): void {
    this.counts.affinity[outcome] += 1;
  }

  attempt(backend: string, outcome: Outcome['kind']): void {
    attemptsOn(backend, this.counts)[outcome] += 1;
  }

  retry(kind: 'refused' | 'broken-off'): void {
    this.counts.retries[kind] += 1;
  }

  withheldRetry(): void {
    this.counts.withheld.timeout += 1;
  }

  /** Counts how the wait of a request for a full backend ended. */
  queued(outcome: keyof ProxyCounts['queued']): void {
    this.counts.queued[outcome] += 1;
  }

  turnedAway(reason: TurnedAway): void {
    this.counts.turnedAway[reason] += 1;
  }

  http2Refused(reason: Http2Refusal): void {
    this.counts.http2Refused[reason] += 1;
  }

  overLimit(reason: keyof ProxyCounts['overLimit']): void {
    this.counts.overLimit[reason] += 1;
  }

  /** Counts an answer of the engine. One with a status counts as an own answer of the proxy too. */
  engineAnswer({ status, cause, inExchange }: EngineAnswer): void {
    this.counts.engineAnswers[cause] += 1;
    if (status !== undefined) this.refusedAnswer(status, inExchange ? 'unknown' : 'not-sent');
  }

  /** Counts a backend's answer; the time is from the request's arrival to the answer's end. */
  answered(status: number, durationMs: number, backend: string): void {
    count(this.counts.answered, status);
    this.#durations.observe(durationMs);
    const counts = answersOf(backend, this.counts);
    counts.answers += 1;
    counts.seconds += durationMs / 1000;
  }

  /** Counts the proxy's own answer. */
  refusedAnswer(status: number, outcome: 'not-sent' | 'unknown'): void {
    count(this.counts.own[outcome], status);
  }

  /** Adds the counts of another process. */
  add(counts: ProxyCounts): void {
    addCounts(this.counts, counts);
  }

  /** Returns all metrics in the text format of Prometheus (version 0.0.4). */
  async text(): Promise<string> {
    const durations = this.#durations.text(
      `${prefix}_request_duration_seconds`,
      'From the arrival of a request to the end of the answer that a backend gave.',
    );
    return `${await this.#registry.metrics()}\n${durations}`;
  }

  #counter(name: string, help: string, labelNames: string[], samples: () => Iterable<Sample>): void {
    const registers = [this.#registry];
    new Counter({
      name: buildFullName(name),
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
      name: buildFullName(name),
      help,
      labelNames,
      registers,
      collect() {
        this.reset();
        for (const [labels, value] of samples()) this.set(labels, value);
      },
    });
  }

  #answers(): void {
    const samples = (key: 'answers' | 'seconds') => () =>
      [...this.counts.answers].map(([backend, counts]): Sample => [{ backend }, counts[key]]);
    const help = 'answered, without WebSockets';
    this.#counter('backend_answers_total', `Requests that the backend ${help}.`, ['backend'], samples('answers'));
    this.#counter(
      'backend_answer_seconds_total',
      `From arrival to the end of the answer, summed over the requests that the backend ${help}.`,
      ['backend'],
      samples('seconds'),
    );
  }

  #vitals(): void {
    const { vitals } = this.counts;
    this.#counter('process_cpu_seconds_total', 'CPU time, user and system.', [], () => [[{}, vitals.cpuSeconds]]);
    this.#gauge('connections', 'Open client connections.', [], () => [[{}, vitals.connections]]);
    this.#gauge('queue_length', 'Requests that wait for full backends.', [], () => [[{}, vitals.queued]]);
    this.#gauge('process_resident_memory_bytes', 'Memory in use.', [], () => [[{}, vitals.residentBytes]]);
    this.#counter(
      'event_loop_seconds_total',
      'Time that the event loop worked (busy) and waited (idle).',
      ['state'],
      () => labelSamples({ busy: vitals.busySeconds, idle: vitals.idleSeconds }, 'state'),
    );
    this.#counter('access_log_lost_lines_total', 'Lines dropped because too many were waiting.', [], () => [
      [{}, vitals.lostLogLines],
    ]);
  }

  #facts({ version, engine, queueMax, startedMs, reloads, reloadedMs }: ProxyFacts): void {
    const build = { version, engine, node: process.version };
    this.#gauge('build_info', 'Always 1; the labels name the build.', Object.keys(build), () => [[build, 1]]);
    this.#gauge('queue_limit', 'The most requests that may wait for full backends.', [], () => [[{}, queueMax]]);
    this.#gauge('process_start_time_seconds', 'When the proxy started, in Unix time.', [], () => [
      [{}, startedMs / 1000],
    ]);
    this.#counter('reloads_total', 'Reloads of the settings.', ['outcome'], () => labelSamples(reloads, 'outcome'));
    this.#gauge('last_reload_timestamp_seconds', 'When the present settings were applied, in Unix time.', [], () => [
      [{}, reloadedMs / 1000],
    ]);
  }

  #backendGauges(list: () => readonly BackendView[]): void {
    this.#gauge('backend_state', '1 for the state that the backend is in, else 0.', ['backend', 'state'], () =>
      list().flatMap(({ name, state }) =>
        states.map((each): Sample => [{ backend: name, state: each }, each === state ? 1 : 0]),
      ),
    );
    this.#gauge('backend_weight', 'Weight set by the operator.', ['backend'], () =>
      list().map(({ name, weight }): Sample => [{ backend: name }, weight]),
    );
    this.#gauge('backend_share', 'Its weight, or less during slow start.', ['backend'], () =>
      list().map(({ name, share }): Sample => [{ backend: name }, share]),
    );
    this.#gauge('backend_in_flight', 'Requests in flight on the backend.', ['backend'], () =>
      list().map(({ name, inFlight }): Sample => [{ backend: name }, inFlight]),
    );
    this.#gauge('backend_maxconn', 'The most requests that the backend takes at once; 0: no limit.', ['backend'], () =>
      list().map(({ name, maxconn }): Sample => [{ backend: name }, maxconn]),
    );
    this.#gauge('backend_queue_length', 'Requests that wait for this backend and no other.', ['backend'], () =>
      list().map(({ name, queued }): Sample => [{ backend: name }, queued]),
    );
    this.#gauge('backend_bound_browsers', 'Browsers that are bound to the backend.', ['backend'], () =>
      list().map(({ name, bound }): Sample => [{ backend: name }, bound]),
    );
  }
}

/** Builds the full name. Process metrics keep their conventional names. */
function buildFullName(name: string): string {
  return name.startsWith('process_') ? name : `${prefix}_${name}`;
}

function buildStatusSamples(counts: Float64Array, labels: Record<string, string>): Sample[] {
  return [...counts.entries()]
    .filter(([, value]) => value > 0)
    .map(([status, value]) => [{ status, ...labels }, value]);
}

function listEngineAnswers({ engineAnswers }: ProxyCounts): Sample[] {
  const samples: Sample[] = [];
  let cause: EngineAnswerCause;
  for (cause in engineAnswers)
    samples.push([
      { status: cause === 'client-closed' ? 'none' : flawStatuses[cause], reason: cause },
      engineAnswers[cause],
    ]);
  return samples;
}

function labelSamples(counts: Record<string, number>, label: string, labels: Record<string, string> = {}): Sample[] {
  return Object.entries(counts).map(([name, value]) => [{ ...labels, [label]: name }, value]);
}
