import { type Affinity, type Binding, unbound } from './affinity.js';
import {
  type AddedHeader,
  type AnswerHead,
  type Exchange,
  type HeaderEdits,
  nothingAdded,
  type Outcome,
} from './exchange.js';
import type { Member } from './member.js';
import type { ProxyMetrics } from './metrics.js';
import { type OwnAnswer, ownAnswer } from './own-answers.js';
import type { BackendPool } from './pool.js';
import { mayRetry } from './retry.js';
import type { RoutingPolicy } from './routing-policy.js';
import { RequestTrace, type ServedRequest } from './served-request.js';

export interface ProxyParts {
  readonly pool: BackendPool;
  readonly policy: RoutingPolicy;
  /** Undefined: any backend serves anyone, and no cookie is looked at. */
  readonly affinity: Affinity | undefined;
  readonly metrics: ProxyMetrics;
  /** Whether an answer says which backend gave it. */
  readonly namesBackends: boolean;
  readonly now: () => number;
  /** Told of each request when all is over. Without it nothing is collected. */
  readonly onServed?: ((request: ServedRequest) => void) | undefined;
}

/*
 * arrival -> cookie? -> usable? -> that backend  -> send -> outcome -> retry? -> own answer, if nobody answered
 *                         else  -> policy among ready ------^             |
 *                                  backends not tried yet <---- yes ------+
 */
export class Heart {
  readonly #parts: ProxyParts;

  constructor(parts: ProxyParts) {
    this.#parts = parts;
  }

  /** One exchange from arrival to reply. Never rejects. */
  async serve(exchange: Exchange): Promise<void> {
    const { onServed } = this.#parts;
    const arrivedMs = performance.now();
    const trace = onServed === undefined ? undefined : new RequestTrace(exchange, arrivedMs);
    const tried: Member[] = [];
    let binding = this.#arrive(exchange, trace);
    let member = this.#choose(exchange, binding, tried);
    let sent = false;
    let last: Outcome | undefined;
    while (member !== undefined) {
      if (last !== undefined) this.#countRetry(last);
      last = await this.#attempt(exchange, member, binding, trace);
      sent ||= last.kind === 'broken-off';
      tried.push(member);
      if (!mayGoOn(exchange, last, tried)) break;
      binding = this.#lose(binding, member, trace);
      member = this.#choose(exchange, binding, tried);
    }
    if (last?.kind === 'answered') this.#countAnswer(last.status, performance.now() - arrivedMs);
    else this.#refuse(exchange, ownAnswer(this.#mustWait(binding) ? undefined : last, sent), trace);
    if (trace !== undefined) onServed?.(trace.served(performance.now()));
  }

  #arrive(exchange: Exchange, trace: RequestTrace | undefined): Binding {
    const { affinity, now } = this.#parts;
    if (affinity === undefined) return unbound;
    const binding = affinity.arrive(exchange, now());
    this.#countAffinity(binding.broken ?? (binding.owner === undefined ? 'none' : 'bound'), trace);
    return binding;
  }

  /** The browser's own backend if it has one; the policy is asked only about browsers that have none. */
  #choose(exchange: Exchange, binding: Binding, tried: readonly Member[]): Member | undefined {
    const { pool, policy } = this.#parts;
    if (binding.owner !== undefined && binding.broken === undefined) return binding.owner;
    if (this.#mustWait(binding)) return undefined;
    const candidates = pool.candidates(tried);
    if (candidates.length === 0) return undefined;
    const chosen = policy(candidates, exchange);
    return candidates.find(member => member === chosen);
  }

  async #attempt(
    exchange: Exchange,
    member: Member,
    binding: Binding,
    trace: RequestTrace | undefined,
  ): Promise<Outcome> {
    const { pool, metrics } = this.#parts;
    const slot = pool.begin(member, exchange);
    const outcome = await exchange.send(member, this.#edits(exchange, member, binding, trace));
    pool.end(member, slot, outcome);
    metrics.attempt(member.name, outcome.kind);
    trace?.tried(member.name, outcome);
    return outcome;
  }

  #edits(exchange: Exchange, member: Member, binding: Binding, trace: RequestTrace | undefined): HeaderEdits {
    const told = binding.broken !== undefined && binding.broken !== 'forged';
    const { boot } = member;
    return {
      request: { 'holdfast-affinity': told ? `broken; reason=${binding.broken}` : undefined },
      ownCookie: this.#parts.affinity?.cookieName(exchange) ?? '',
      onAnswer: head => {
        member.learn(head.header('holdfast-incarnation'), boot);
        trace?.head(head.status, performance.now());
        const added = this.#onAnswer(exchange, member, binding, head, trace);
        return this.#parts.namesBackends ? [...added, ...nameOf(member)] : added;
      },
    };
  }

  /** The answer may be the first to tell that this is another boot than the one that the cookie names. */
  #onAnswer(
    exchange: Exchange,
    member: Member,
    binding: Binding,
    head: AnswerHead,
    trace: RequestTrace | undefined,
  ): readonly AddedHeader[] {
    const { affinity, now } = this.#parts;
    if (affinity === undefined) return nothingAdded;
    const { owner, broken, claims } = binding;
    const bound = claims !== undefined && owner === member && broken === undefined;
    if (bound && !member.isBoot(claims.incarnation, claims.issuedMs)) this.#countAffinity('reborn', trace);
    return affinity.renew(binding, member, exchange, head, now());
  }

  /** The browser's backend failed it just now: from here on its binding is broken. */
  #lose(binding: Binding, member: Member, trace: RequestTrace | undefined): Binding {
    if (binding.owner !== member || binding.broken !== undefined) return binding;
    this.#countAffinity('rebound', trace);
    return { ...binding, broken: 'down' };
  }

  #mustWait(binding: Binding): boolean {
    return this.#parts.affinity?.mustWait(binding) ?? false;
  }

  #countAffinity(outcome: Parameters<ProxyMetrics['affinity']>[0], trace: RequestTrace | undefined): void {
    this.#parts.metrics.affinity(outcome);
    if (trace !== undefined) trace.affinity = outcome;
  }

  #countRetry(before: Outcome): void {
    if (before.kind === 'refused' || before.kind === 'broken-off') this.#parts.metrics.retry(before.kind);
  }

  #countAnswer(status: number, durationMs: number): void {
    // A tunnel lasts as long as its two ends like: that is no time to answer.
    if (status !== 101) this.#parts.metrics.answered(status, durationMs);
  }

  #refuse(exchange: Exchange, answer: OwnAnswer | undefined, trace: RequestTrace | undefined): void {
    if (answer === undefined) return;
    if (trace !== undefined) trace.own = answer;
    this.#parts.metrics.refusedAnswer(answer.status, answer.outcome);
    exchange.refuse(answer.status, answer.reason, answer.headers);
  }
}

function nameOf({ name, incarnation }: Member): readonly AddedHeader[] {
  return [
    ['holdfast-backend', name],
    ['holdfast-incarnation', incarnation],
  ];
}

function mayGoOn(exchange: Exchange, outcome: Outcome, tried: readonly Member[]): boolean {
  const { method, replayable } = exchange;
  return mayRetry({ method, outcome, triesMade: tried.length, replayable });
}
