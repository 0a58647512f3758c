import { createHash } from 'node:crypto';
import { type AddedHeader, type AnswerHead, type Exchange, nothingAdded } from '../exchange.js';
import type { AffinityOptions, LearnFrom } from '../options.js';
import type { Member } from '../pool/member.js';
import type { Claims } from './affinity-cookie.js';
import { type Affinity, type Binding, chooseTemporary, isSameBoot, judgeClaims, mustWait, unbound } from './binding.js';
import type { Learned, LearnedBindings } from './learned-bindings.js';
import { findSetCookie } from './set-cookie.js';

/** A longer value is no session token. */
const valueCharsMax = 4096;
/** How many copies of the cookie in one request are read. */
const copiesMax = 3;

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
  readonly #onBound: (learned: Learned) => void;

  /** `table`: a reload passes the table that it had before. `onBound` is called for each new binding. */
  constructor(
    options: AffinityOptions,
    from: LearnFrom,
    table: LearnedBindings,
    onBound = (_learned: Learned): void => {},
  ) {
    this.#onBound = onBound;
    this.#options = options;
    this.#from = from;
    this.#table = table;
  }

  join(): void {}

  cookieName(): string {
    return '';
  }

  readBinding(exchange: Exchange, nowMs: number): Binding {
    const key = this.#keyOfRequest(exchange);
    if (key === undefined) return unbound;
    const learned = this.#table.find(key);
    if (learned === undefined) return { ...unbound, broken: 'unknown' };
    const judged = judgeClaims(learned.claims, learned.owner, this.#isInDate(learned.claims, nowMs));
    if (judged.broken !== undefined) return judged;
    learned.owner.bound.see(key, nowMs);
    this.#table.set({ ...learned, claims: { ...learned.claims, seenMs: nowMs }, mustNotify: false, returned: true });
    return learned.mustNotify ? { ...judged, mustNotify: true } : judged;
  }

  mustWait(binding: Binding): boolean {
    return mustWait(this.#options.onLost, binding);
  }

  chooseTemporary(binding: Binding, candidates: readonly Member[]): Member | undefined {
    return chooseTemporary(this.#options.onLost, binding, candidates);
  }

  /** Adds nothing to the answer. A token that the answer ends or replaces is forgotten, and a new one is learnt. */
  renew(binding: Binding, member: Member, exchange: Exchange, head: AnswerHead, nowMs: number): readonly AddedHeader[] {
    const given = this.#valueOfAnswer(head);
    const isInForce = confirms(binding, member);
    if (given === undefined && isInForce) return nothingAdded;
    const sent = binding.claims?.browser ?? this.#keyOfRequest(exchange);
    const key = given === undefined ? sent : toKey(given);
    if (sent !== undefined && key !== sent) this.#table.forget(sent);
    if (key === undefined) return nothingAdded;
    const known = this.#table.find(key);
    const issued = given !== undefined || (known?.issued ?? false);
    if (known !== undefined && key === sent && (isInForce || this.#isTemporary(binding))) {
      // Many apps send the same token with each answer. That is no new binding.
      if (issued !== known.issued) this.#table.set({ ...known, issued });
      return nothingAdded;
    }
    known?.owner.bound.forget(key);
    const claims = { backendId: '', incarnation: member.bootName, issuedMs: nowMs, seenMs: nowMs, browser: key };
    // The answer was the first sign of a new boot, so its request did not tell the backend.
    const mustNotify = binding.owner === member && binding.broken === undefined && key === sent;
    const learned = { owner: member, claims, mustNotify, issued, returned: key === sent };
    this.#table.set(learned);
    this.#onBound(learned);
    return nothingAdded;
  }

  /** Whether the answer comes from a backend that does not keep the browser. */
  #isTemporary({ broken }: Binding): boolean {
    return this.#options.onLost === 'temporary' && broken === 'down';
  }

  #isInDate({ issuedMs, seenMs }: Claims, nowMs: number): boolean {
    return nowMs - seenMs <= this.#options.idleMs && nowMs - issuedMs <= this.#options.absoluteMs;
  }

  /**
   * Returns the key of the token. A browser sends stray copies of a cookie (longer path, other domain) with each request,
   * so the first copy that is known counts. Without a known one, the first copy counts.
   */
  #keyOfRequest(exchange: Exchange): string | undefined {
    if ('header' in this.#from) return toKey(exchange.header(this.#from.header));
    let first: string | undefined;
    for (let nth = 0; nth < copiesMax; nth += 1) {
      const value = exchange.cookie(this.#from.cookie, nth);
      if (value === undefined) break;
      const key = toKey(value);
      if (key !== undefined && this.#table.find(key) !== undefined) return key;
      first ??= key;
    }
    return first;
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

/** Whether an answer of this backend confirms the binding. */
function confirms({ claims, owner, broken }: Binding, member: Member): boolean {
  return claims !== undefined && owner === member && broken === undefined && isSameBoot(member, claims);
}

function toKey(value: string | undefined): string | undefined {
  return value === undefined || value === '' || value.length > valueCharsMax ? undefined : hashToken(value);
}

/** A token opens a session, so the table must not hold it. */
function hashToken(token: string): string {
  return createHash('sha256').update(token).digest('base64url').slice(0, 22);
}
