import { createHash } from 'node:crypto';
import { type AddedHeader, type AnswerHead, type Exchange, nothingAdded } from '../exchange.js';
import type { AffinityOptions, LearnFrom } from '../options.js';
import type { Member } from '../pool/member.js';
import type { Claims } from './affinity-cookie.js';
import { type Affinity, type Binding, chooseTemporary, isSameBoot, judgeClaims, mustWait, unbound } from './binding.js';

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

/** The known facts about one token. */
export interface Learned {
  readonly owner: Member;
  /** `browser` is the key of the token. */
  readonly claims: Claims;
  /** See `Binding.mustNotify`. */
  readonly mustNotify: boolean;
  /** A backend has sent the token. */
  readonly issued: boolean;
  /** A client has sent the token. */
  readonly returned: boolean;
}

/** A learnt binding that is sent to another process. Plain data. */
export interface HandedBinding extends Omit<Learned, 'owner'> {
  /** The host of its pool. */
  readonly host: string;
  /** The identity of the backend. Its name may be another one in the other process. */
  readonly owner: string;
}

/**
 * Tokens of each group. An entry takes about 200 bytes. A client can invent any number of tokens, and a bot can take any
 * number without returning one. Neither may push out the tokens of users.
 */
export const entriesMax = {
  /** Issued by a backend and returned by a client. */
  confirmed: 100_000,
  /** Issued and not yet returned. */
  fresh: 50_000,
  /** Returned, but not issued while this proxy was there. */
  claimed: 50_000,
} as const;

type Group = keyof typeof entriesMax;
/** The entry used longest ago comes first. */
type Entries = Map<string, Learned>;

/** Maps the hash of a token to its backend. Bounded: each group forgets the token that was unused for longest. */
export class LearnedBindings {
  readonly #max: Readonly<Record<Group, number>>;
  readonly #groups: Readonly<Record<Group, Entries>> = { confirmed: new Map(), fresh: new Map(), claimed: new Map() };

  constructor(max: Readonly<Record<Group, number>> = entriesMax) {
    this.#max = max;
  }

  find(key: string): Learned | undefined {
    const { confirmed, fresh, claimed } = this.#groups;
    return confirmed.get(key) ?? fresh.get(key) ?? claimed.get(key);
  }

  /** Returns all entries. In each group the one used longest ago comes first. */
  list(): readonly Learned[] {
    return Object.values(this.#groups).flatMap(entries => [...entries.values()]);
  }

  /** Stores the entry as the one used last in its group. */
  set(learned: Learned): void {
    const key = learned.claims.browser;
    this.#remove(key);
    const group = chooseGroup(learned);
    const entries = this.#groups[group];
    entries.set(key, learned);
    if (entries.size > this.#max[group]) for (const first of entries.keys()) return void this.forget(first);
  }

  /** Adds what another process has learnt. */
  adopt(learned: Learned): void {
    const { browser, seenMs } = learned.claims;
    this.find(browser)?.owner.bound.forget(browser);
    // A bot that never returns its token must not keep a drain open.
    if (learned.returned) learned.owner.bound.see(browser, seenMs);
    this.set(learned);
  }

  /** Forgets the token. Its browser is no longer bound. */
  forget(key: string): void {
    this.find(key)?.owner.bound.forget(key);
    this.#remove(key);
  }

  #remove(key: string): void {
    for (const entries of Object.values(this.#groups)) entries.delete(key);
  }
}

function chooseGroup({ issued, returned }: Learned): Group {
  if (!issued) return 'claimed';
  return returned ? 'confirmed' : 'fresh';
}

/**
 * Returns the value that the Set-Cookie lines, joined by ", ", give to this cookie: the last one counts. Empty: the
 * cookie is removed. Undefined: no line sets it.
 *
 * A comma can stand in `Expires` only (RFC 6265 §4.1.1), and no date looks like `name=`.
 */
export function findSetCookie(joined: string | undefined, name: string): string | undefined {
  if (joined === undefined || !joined.includes(`${name}=`)) return undefined;
  let found: string | undefined;
  for (const line of joined.split(/,\s*(?=[!#$%&'*+\-.^_`|~\w]+=)/)) {
    const [pair = '', ...attributes] = line.split(';');
    const at = pair.indexOf('=');
    if (at === -1 || pair.slice(0, at).trim() !== name) continue;
    found = isEnded(attributes) ? '' : pair.slice(at + 1).trim();
  }
  return found;
}

/** Whether the attributes remove the cookie. Max-Age counts more than Expires, and an invalid one is ignored (§5.3). */
function isEnded(attributes: readonly string[]): boolean {
  let expired = false;
  let maxAge: number | undefined;
  for (const attribute of attributes) {
    const [name = '', value = ''] = attribute.split('=').map(part => part.trim());
    if (/^max-age$/i.test(name) && /^-?\d+$/.test(value)) maxAge = Number(value);
    else if (/^expires$/i.test(name)) expired = Date.parse(value) <= Date.now();
  }
  return maxAge === undefined ? expired : maxAge <= 0;
}
