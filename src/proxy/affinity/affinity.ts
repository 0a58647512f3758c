import { type AddedHeader, type AnswerHead, type Exchange, nothingAdded } from '../exchange.js';
import type { AffinityOptions } from '../options.js';
import type { Member } from '../pool/member.js';
import { chooseByKey } from '../rendezvous-hash.js';
import { type AffinityCookies, type AffinityReading, type Claims, makeBrowserId } from './affinity-cookie.js';

/** Why a browser's cookie does not lead to a backend. `forged` counts as no cookie, so the backend is not told. */
export type BrokenReason = 'down' | 'draining' | 'expired' | 'reborn' | 'unknown' | 'forged';

/** The meaning of a browser's cookie for one exchange. */
export interface Binding {
  /** The content of the cookie; undefined when it is not genuine. */
  readonly claims: Claims | undefined;
  /** The backend that the cookie names, usable or not. */
  readonly owner: Member | undefined;
  /**
   * The backend that holds the browser's session: the request goes there. It is the owner of a binding that is in force.
   * It is also the owner of an expired one, if that backend is ready and the same boot.
   */
  readonly home: Member | undefined;
  readonly broken: BrokenReason | undefined;
  /** The previous binding broke, and no backend has been told yet. */
  readonly untold: boolean;
}

export const unbound: Binding = {
  claims: undefined,
  owner: undefined,
  home: undefined,
  broken: undefined,
  untold: false,
};

/** Maximum number of browsers whose next request carries a notice. Above it, the oldest entry is forgotten. */
const untoldMax = 4096;

/** How many copies of the cookie in one request are read. */
const copiesMax = 3;

/** Maps cookies to the backends of the pool. */
export class Affinity {
  readonly #cookies: AffinityCookies;
  readonly #onLost: AffinityOptions['onLost'];
  readonly #ids = new WeakMap<Member, string>();
  readonly #members = new Map<string, Member>();
  /** Browsers whose binding was renewed because the answer revealed a new boot. */
  readonly #untold = new Set<string>();
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
    if (reading.kind === 'expired') {
      const home = owner !== undefined && canTakeBack(owner, reading) ? owner : undefined;
      return { claims: reading, owner, home, broken: 'expired', untold: false };
    }
    const broken = findBrokenReason(owner, reading);
    if (broken !== undefined) return { claims: reading, owner, home: undefined, broken, untold: false };
    owner?.bound.see(reading.browser, nowMs);
    const untold = this.#untold.size > 0 && this.#untold.delete(reading.browser);
    return { claims: reading, owner, home: owner, broken, untold };
  }

  /** Checks a binding again, for a request that has waited. */
  recheck(binding: Binding): Binding {
    const { claims, owner, home, broken } = binding;
    if (claims === undefined || home === undefined) return binding;
    if (broken !== undefined) return canTakeBack(home, claims) ? binding : { ...binding, home: undefined };
    const reason = findBrokenReason(owner, claims);
    return reason === undefined ? binding : { ...binding, home: undefined, broken: reason };
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

  /**
   * Whether to wait for the backend that holds the session, as strict affinity demands. Waiting helps only while that
   * backend is down in the boot that the cookie names. A rebooted, removed or drained backend will never have the
   * session again.
   */
  mustWait(binding: Binding): boolean {
    return this.#onLost === 'strict' && binding.broken === 'down';
  }

  /**
   * Chooses the backend that stands in while the browser's own one is away (temporary affinity). The browser gets the
   * same one for each request, as long as that one can be used. Undefined: the policy chooses.
   */
  chooseStandIn({ claims, broken }: Binding, candidates: readonly Member[]): Member | undefined {
    if (this.#onLost !== 'temporary' || broken !== 'down' || claims === undefined) return undefined;
    return chooseByKey(claims.browser, candidates);
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
    if (!same && owner === member && broken === undefined) this.#rememberUntold(browser);
    // Another proxy may have known a newer boot when it wrote the name into the cookie.
    const incarnation = (same && claims.incarnation) || member.bootName;
    const issued = this.#cookies.issue({ backendId, incarnation, issuedMs, browser }, exchange.secure, nowMs);
    return [['set-cookie', issued], ...markPrivate(head)];
  }

  #rememberUntold(browser: string): void {
    this.#untold.add(browser);
    if (this.#untold.size > untoldMax) for (const first of this.#untold) return void this.#untold.delete(first);
  }
}

/**
 * Decides whether a binding is given up. The rule of the whole proxy: a binding is given up only when a connection to the
 * backend failed, a check has marked it down, it was restarted, drained past its window, or removed. The first cause
 * shows while a request is served: see `losesBackend` in `retry.ts`.
 */
function findBrokenReason(owner: Member | undefined, claims: Claims): BrokenReason | undefined {
  if (owner === undefined || owner.removed) return 'unknown';
  if (!isSameBoot(owner, claims)) return 'reborn';
  if (owner.keepsBound) return undefined;
  return owner.state === 'draining' ? 'draining' : 'down';
}

/** Whether the backend may be bound anew to a browser whose binding has expired. */
function canTakeBack(owner: Member, claims: Claims): boolean {
  return !owner.removed && owner.state === 'ready' && owner.weight > 0 && isSameBoot(owner, claims);
}

function isSameBoot(member: Member, { incarnation, issuedMs }: Claims): boolean {
  return member.isBoot(incarnation, issuedMs);
}

/** Marks the answer as private. A shared cache would give one browser's binding to others (RFC 9111 §5.2.2.7). */
function markPrivate(head: AnswerHead): readonly AddedHeader[] {
  const given = head.header('cache-control') ?? '';
  if (/(?:^|[\s,])(?:no-store|private)\s*(?:,|$)/i.test(given)) return [];
  const others = given.split(',').filter(directive => !/^\s*(?:public|s-maxage\s*=.*)?\s*$/i.test(directive));
  return [['cache-control', ['private', ...others.map(directive => directive.trim())].join(', ')]];
}
