import { type AddedHeader, type AnswerHead, type Exchange, nothingAdded } from '../exchange.js';
import type { AffinityOptions } from '../options.js';
import type { Member } from '../pool/member.js';
import { type AffinityCookies, type AffinityReading, makeBrowserId } from './affinity-cookie.js';
import { type Affinity, type Binding, chooseTemporary, isSameBoot, judgeClaims, mustWait, unbound } from './binding.js';

/** Maximum number of browsers in `#notices`. Above it, the oldest entry is forgotten. */
const noticesMax = 4096;

/** How many copies of the cookie in one request are read. */
const copiesMax = 3;

/** Affinity by a signed cookie of the proxy's own. It needs no memory for each browser. */
export class CookieAffinity implements Affinity {
  readonly #cookies: AffinityCookies;
  readonly #onLost: AffinityOptions['onLost'];
  readonly #ids = new WeakMap<Member, string>();
  readonly #members = new Map<string, Member>();
  /** Browsers whose next request tells the backend `reborn`: an answer showed a new boot, and their binding was renewed. */
  readonly #notices = new Set<string>();
  readonly #makeBrowserId: () => string;

  constructor(cookies: AffinityCookies, onLost: AffinityOptions['onLost'], makeId = makeBrowserId) {
    this.#cookies = cookies;
    this.#onLost = onLost;
    this.#makeBrowserId = makeId;
  }

  /** Adds a backend, once, before the first exchange that could be bound to it (see `AffinityCookies.backendId`). */
  join(member: Member): void {
    for (const [id, other] of this.#members) if (other.removed) this.#members.delete(id);
    const id = this.#cookies.backendId(member.identity);
    this.#ids.set(member, id);
    this.#members.set(id, member);
  }

  cookieName(exchange: Exchange): string {
    return this.#cookies.nameFor(exchange.secure);
  }

  /** Reads the binding. A browser counts as bound to a backend from the first time that its cookie comes back. */
  readBinding(exchange: Exchange, nowMs: number): Binding {
    const reading = this.#read(exchange, nowMs);
    if (reading.kind === 'none') return unbound;
    if (reading.kind === 'bad') return { ...unbound, broken: reading.reason };
    const owner = this.#members.get(reading.backendId);
    const judged = judgeClaims(reading, owner, reading.kind === 'bound');
    if (judged.broken !== undefined) return judged;
    owner?.bound.see(reading.browser, nowMs);
    const mustNotify = this.#notices.size > 0 && this.#notices.delete(reading.browser);
    return mustNotify ? { ...judged, mustNotify } : judged;
  }

  /**
   * Reads the first valid copy. A browser sends a stray copy (longer path, other domain) with each request, and a new
   * cookie cannot replace it. Without a valid copy, an expired one counts, or else the first one.
   */
  #read(exchange: Exchange, nowMs: number): AffinityReading {
    const name = this.cookieName(exchange);
    const { secure } = exchange;
    let best = this.#cookies.read(exchange.cookie(name), secure, nowMs);
    for (let nth = 1; (best.kind === 'bad' || best.kind === 'expired') && nth < copiesMax; nth += 1) {
      const other = this.#cookies.read(exchange.cookie(name, nth), secure, nowMs);
      if (other.kind === 'bound' || (other.kind === 'expired' && best.kind === 'bad')) best = other;
    }
    return best;
  }

  mustWait(binding: Binding): boolean {
    return mustWait(this.#onLost, binding);
  }

  chooseTemporary(binding: Binding, candidates: readonly Member[]): Member | undefined {
    return chooseTemporary(this.#onLost, binding, candidates);
  }

  /** Returns a cookie for the answer of `member` when the binding changed or needs a refresh, else nothing. */
  renew(binding: Binding, member: Member, exchange: Exchange, head: AnswerHead, nowMs: number): readonly AddedHeader[] {
    const { claims, owner, broken } = binding;
    const same = claims !== undefined && owner === member && broken !== 'expired' && isSameBoot(member, claims);
    if (same && !this.#cookies.needsRefresh(claims, nowMs)) return nothingAdded;
    if (this.#onLost === 'temporary' && broken === 'down') return nothingAdded;
    const backendId = this.#ids.get(member);
    if (backendId === undefined) return nothingAdded;
    if (!same && claims !== undefined) owner?.bound.forget(claims.browser);
    const issuedMs = same ? claims.issuedMs : nowMs;
    const browser = same ? claims.browser : this.#makeBrowserId();
    if (!same && owner === member && broken === undefined) this.#rememberNotice(browser);
    // Another proxy may have known a newer boot when it wrote the name into the cookie.
    const incarnation = (same && claims.incarnation) || member.bootName;
    const issued = this.#cookies.issue({ backendId, incarnation, issuedMs, browser }, exchange.secure, nowMs);
    return [['set-cookie', issued], ...markPrivate(head)];
  }

  #rememberNotice(browser: string): void {
    this.#notices.add(browser);
    if (this.#notices.size > noticesMax) for (const first of this.#notices) return void this.#notices.delete(first);
  }
}

/** Marks the answer as private. A shared cache would give one browser's binding to others (RFC 9111 §5.2.2.7). */
function markPrivate(head: AnswerHead): readonly AddedHeader[] {
  const given = head.header('cache-control') ?? '';
  if (/(?:^|[\s,])(?:no-store|private)\s*(?:,|$)/i.test(given)) return [];
  const others = given.split(',').filter(directive => !/^\s*(?:public|s-maxage\s*=.*)?\s*$/i.test(directive));
  return [['cache-control', ['private', ...others.map(directive => directive.trim())].join(', ')]];
}
