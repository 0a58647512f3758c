import { type Affinity, type Binding, unbound } from './affinity.js';
import type { AddedHeader, AnswerHead, Exchange, HeaderEdits, Outcome } from './exchange.js';
import type { Member } from './member.js';
import type { ProxyMetrics } from './metrics.js';
import { brokenOff, type OwnAnswer, unavailable } from './own-answers.js';
import type { BackendPool } from './pool.js';
import { mayRetry } from './retry.js';
import type { RoutingPolicy } from './routing-policy.js';

export interface ProxyParts {
  readonly pool: BackendPool;
  readonly policy: RoutingPolicy;
  /** Undefined: any backend serves anyone, and no cookie is looked at. */
  readonly affinity: Affinity | undefined;
  readonly metrics: ProxyMetrics;
  readonly now: () => number;
}

const nothingAdded: readonly AddedHeader[] = [];

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
    const arrivedMs = performance.now();
    const tried: Member[] = [];
    let binding = this.#arrive(exchange);
    let member = this.#choose(exchange, binding, tried);
    let sent = false;
    while (member !== undefined) {
      const outcome = await this.#attempt(exchange, member, binding);
      sent ||= outcome.kind === 'broken-off';
      tried.push(member);
      if (!mayGoOn(exchange, outcome, tried)) {
        this.#end(exchange, outcome, sent, arrivedMs);
        return;
      }
      binding = this.#lose(binding, member);
      member = this.#choose(exchange, binding, tried);
      if (member !== undefined) this.#parts.metrics.retry(outcome.kind);
    }
    this.#refuse(exchange, unavailable(sent));
  }

  #arrive(exchange: Exchange): Binding {
    const { affinity, metrics, now } = this.#parts;
    if (affinity === undefined) return unbound;
    const binding = affinity.arrive(exchange, now());
    metrics.affinity(binding.broken ?? (binding.owner === undefined ? 'none' : 'bound'));
    return binding;
  }

  /** The browser's own backend if it has one; the policy is asked only about browsers that have none. */
  #choose(exchange: Exchange, binding: Binding, tried: readonly Member[]): Member | undefined {
    const { affinity, pool, policy } = this.#parts;
    if (binding.owner !== undefined && binding.broken === undefined) return binding.owner;
    if (affinity?.mustWait(binding)) return undefined;
    const candidates = pool.candidates(tried);
    if (candidates.length === 0) return undefined;
    const chosen = policy(candidates, exchange);
    return candidates.find(member => member === chosen);
  }

  async #attempt(exchange: Exchange, member: Member, binding: Binding): Promise<Outcome> {
    const { pool, metrics } = this.#parts;
    const slot = pool.begin(member, exchange);
    const outcome = await exchange.send(member, this.#edits(exchange, member, binding));
    pool.end(member, slot, outcome);
    metrics.attempt(member.name, outcome.kind);
    return outcome;
  }

  #edits(exchange: Exchange, member: Member, binding: Binding): HeaderEdits {
    const told = binding.broken !== undefined && binding.broken !== 'forged';
    return {
      request: { 'holdfast-affinity': told ? `broken; reason=${binding.broken}` : undefined },
      stripCookie: this.#parts.affinity?.cookieName(exchange) ?? '',
      onAnswer: head => this.#onAnswer(exchange, member, binding, head),
    };
  }

  /** The answer may be the first to tell that this is another boot than the one that the cookie names. */
  #onAnswer(exchange: Exchange, member: Member, binding: Binding, head: AnswerHead): readonly AddedHeader[] {
    const { affinity, metrics, now } = this.#parts;
    member.learn(head.header('holdfast-incarnation'));
    if (affinity === undefined) return nothingAdded;
    const bound = binding.owner === member && binding.broken === undefined;
    if (bound && binding.claims?.incarnation !== member.incarnation) metrics.affinity('reborn');
    return affinity.renew(binding, member, exchange, head, now());
  }

  /** The browser's backend failed it just now: from here on its binding is broken. */
  #lose(binding: Binding, member: Member): Binding {
    if (binding.owner !== member || binding.broken !== undefined) return binding;
    this.#parts.metrics.affinity('rebound');
    return { ...binding, broken: 'down' };
  }

  #end(exchange: Exchange, outcome: Outcome, sent: boolean, arrivedMs: number): void {
    if (outcome.kind === 'answered') {
      // A tunnel lasts as long as its two ends like: that is no time to answer.
      if (outcome.status !== 101) this.#parts.metrics.answered(outcome.status, performance.now() - arrivedMs);
    } else if (outcome.kind === 'refused') {
      this.#refuse(exchange, unavailable(sent));
    } else if (outcome.kind === 'broken-off') {
      this.#refuse(exchange, brokenOff(outcome));
    }
  }

  #refuse(exchange: Exchange, { status, reason, headers, outcome }: OwnAnswer): void {
    this.#parts.metrics.refusedAnswer(status, outcome);
    exchange.refuse(status, reason, headers);
  }
}

/** Only these two leave the client without an answer. */
type Unanswered = Extract<Outcome, { kind: 'refused' | 'broken-off' }>;

function mayGoOn(exchange: Exchange, outcome: Outcome, tried: readonly Member[]): outcome is Unanswered {
  const { method, replayable } = exchange;
  return mayRetry({ method, outcome, triesMade: tried.length, replayable });
}
