import { createHash } from 'node:crypto';
import { type AddedHeader, type AnswerHead, type Exchange, nothingAdded } from '../exchange.js';
import type { AffinityOptions, LearnFrom } from '../options.js';
import type { Member } from '../pool/member.js';
import type { Claims } from './affinity-cookie.js';
import { type Affinity, type Binding, chooseTemporary, isSameBoot, judgeClaims, mustWait, unbound } from './binding.js';
import { findSetCookie } from './set-cookie.js';

/** About 200 bytes each. Above this number the browser seen longest ago is forgotten. */
const browsersMax = 100_000;
/** A longer value is no session token. */
const valueCharsMax = 4096;

export interface Learned {
  readonly owner: Member;
  readonly claims: Claims;
  /** See `Binding.mustNotify`. */
  readonly mustNotify: boolean;
}

/** A learnt binding that is sent to another process. Plain data. */
export interface HandedBinding extends Omit<Learned, 'owner'> {
  /** The host of its pool. */
  readonly host: string;
  /** The hash of the token. */
  readonly key: string;
  /** The name of the backend. */
  readonly owner: string;
}

/** Maps the hash of a token to its backend. The entry used longest ago comes first. */
export type LearnedBindings = Map<string, Learned>;

/**
 * Affinity without a cookie of the proxy. It learns from the session token of the app: the backend that sent a token is
 * the one that knows it. The table is in the memory of this process, bounded, and holds hashes of the tokens only.
 *
 *   answer with a token    -> table: token -> backend, boot, time
 *   request with a token   -> table -> that backend; not in the table: any backend, which is told `unknown`
 */
export class LearnedAffinity implements Affinity {
  readonly #options: AffinityOptions;
  readonly #from: LearnFrom;
  readonly #table: LearnedBindings;
  readonly #onBound: (key: string, learned: Learned) => void;

  /** `table`: a reload passes the table that it had before. `onBound` is called for each new binding. */
  constructor(
    options: AffinityOptions,
    from: LearnFrom,
    table: LearnedBindings = new Map(),
    onBound = (_key: string, _learned: Learned): void => {},
  ) {
    this.#onBound = onBound;
    this.#options = options;
    this.#from = from;
    this.#table = table;
  }

  join(): void {}

  /** Adds a binding that another process has learnt. */
  adopt(key: string, learned: Learned): void {
    this.#table.get(key)?.owner.bound.forget(key);
    learned.owner.bound.see(key, learned.claims.seenMs);
    this.#remember(key, learned);
  }

  cookieName(): string {
    return '';
  }

  readBinding(exchange: Exchange, nowMs: number): Binding {
    const key = this.#keyOfRequest(exchange);
    if (key === undefined) return unbound;
    const learned = this.#table.get(key);
    if (learned === undefined) return { ...unbound, broken: 'unknown' };
    const judged = judgeClaims(learned.claims, learned.owner, this.#isInDate(learned.claims, nowMs));
    if (judged.broken === undefined) {
      learned.owner.bound.see(key, nowMs);
      this.#remember(key, { ...learned, claims: { ...learned.claims, seenMs: nowMs }, mustNotify: false });
    }
    return { ...judged, mustNotify: judged.broken === undefined && learned.mustNotify };
  }

  mustWait(binding: Binding): boolean {
    return mustWait(this.#options.onLost, binding);
  }

  chooseTemporary(binding: Binding, candidates: readonly Member[]): Member | undefined {
    return chooseTemporary(this.#options.onLost, binding, candidates);
  }

  /** Adds nothing to the answer. A token that the answer ends is forgotten, and a new one is learnt. */
  renew(binding: Binding, member: Member, exchange: Exchange, head: AnswerHead, nowMs: number): readonly AddedHeader[] {
    const given = this.#valueOfAnswer(head);
    if (given === undefined && isInForce(binding, member)) return nothingAdded;
    const sent = this.#keyOfRequest(exchange);
    if (sent !== undefined && given !== undefined) this.#forget(sent);
    const key = given === undefined ? sent : hashToken(given);
    if (key !== undefined && given !== '' && !this.#isTemporary(key, binding)) this.#bind(key, member, binding, nowMs);
    return nothingAdded;
  }

  /** Whether a temporary backend gave the answer. The browser stays bound to its own one. */
  #isTemporary(key: string, { broken }: Binding): boolean {
    return this.#options.onLost === 'temporary' && broken === 'down' && this.#table.has(key);
  }

  #bind(key: string, owner: Member, binding: Binding, nowMs: number): void {
    this.#table.get(key)?.owner.bound.forget(key);
    const claims = { backendId: '', incarnation: owner.bootName, issuedMs: nowMs, seenMs: nowMs, browser: key };
    // The answer was the first sign of a new boot, so its request did not tell the backend.
    const mustNotify = binding.owner === owner && binding.broken === undefined && binding.claims?.browser === key;
    const learned = { owner, claims, mustNotify };
    this.#remember(key, learned);
    this.#onBound(key, learned);
  }

  /** Stores the entry as the one used last. */
  #remember(key: string, learned: Learned): void {
    this.#table.delete(key);
    this.#table.set(key, learned);
    if (this.#table.size > browsersMax) for (const first of this.#table.keys()) return void this.#forget(first);
  }

  #forget(key: string): void {
    this.#table.get(key)?.owner.bound.forget(key);
    this.#table.delete(key);
  }

  #isInDate({ issuedMs, seenMs }: Claims, nowMs: number): boolean {
    return nowMs - seenMs <= this.#options.idleMs && nowMs - issuedMs <= this.#options.absoluteMs;
  }

  #keyOfRequest(exchange: Exchange): string | undefined {
    const value = 'cookie' in this.#from ? exchange.cookie(this.#from.cookie) : exchange.header(this.#from.header);
    return value === undefined || value === '' || value.length > valueCharsMax ? undefined : hashToken(value);
  }

  /** Returns the token that the answer sets. Empty: the answer removes the token. Undefined: it does neither. */
  #valueOfAnswer(head: AnswerHead): string | undefined {
    const value =
      'cookie' in this.#from
        ? findSetCookie(head.header('set-cookie'), this.#from.cookie)
        : head.header(this.#from.header);
    return value !== undefined && value.length > valueCharsMax ? undefined : value;
  }
}

/** Whether the answer of this backend confirms the binding. */
function isInForce({ claims, owner, broken }: Binding, member: Member): boolean {
  return claims !== undefined && owner === member && broken === undefined && isSameBoot(member, claims);
}

/** A token opens a session, so the table must not hold it. */
function hashToken(token: string): string {
  return createHash('sha256').update(token).digest('base64url').slice(0, 22);
}
