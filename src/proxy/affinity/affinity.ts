import { type AddedHeader, type AnswerHead, type Exchange, nothingAdded } from '../exchange.js';
import type { AffinityOptions } from '../options.js';
import type { Member } from '../pool/member.js';
import type { AffinityCookies, AffinityReading } from './affinity-cookie.js';
import type { IssueTimes } from './issue-times.js';

/** Why a browser's cookie does not lead to a backend. `forged` counts as no cookie, so the backend is not told. */
export type BrokenReason = 'down' | 'draining' | 'expired' | 'reborn' | 'unknown' | 'forged';

type Claims = Extract<AffinityReading, { kind: 'bound' }>;

/** The meaning of a browser's cookie for one exchange. */
export interface Binding {
  /** The content of the cookie; undefined when there is no valid one. */
  readonly claims: Claims | undefined;
  /** The backend that the cookie names, usable or not. */
  readonly owner: Member | undefined;
  readonly broken: BrokenReason | undefined;
  /** The previous binding broke, and no backend has been told yet. */
  readonly untold: boolean;
}

export const unbound: Binding = { claims: undefined, owner: undefined, broken: undefined, untold: false };

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
  /** Issue times of bindings that were renewed because the answer revealed a new boot. */
  readonly #untold = new Set<number>();
  readonly #issueTimes: IssueTimes;

  constructor(cookies: AffinityCookies, onLost: AffinityOptions['onLost'], issueTimes: IssueTimes) {
    this.#issueTimes = issueTimes;
    this.#cookies = cookies;
    this.#onLost = onLost;
  }

  /** Adds a backend, once, before the first exchange that could be bound to it (see `AffinityCookies.backendId`). */
  join(member: Member): void {
    for (const [id, other] of this.#members) if (other.removed) this.#members.delete(id);
    const id = this.#cookies.backendId(member.name);
    this.#ids.set(member, id);
    this.#members.set(id, member);
  }

  cookieName(exchange: Exchange): string {
    return this.#cookies.nameFor(exchange.secure);
  }

  readBinding(exchange: Exchange, nowMs: number): Binding {
    const reading = this.#read(exchange, nowMs);
    if (reading.kind === 'none') return unbound;
    if (reading.kind === 'bad') return { ...unbound, broken: reading.reason };
    const owner = this.#members.get(reading.backendId);
    const broken = owner === undefined || owner.removed ? 'unknown' : findBrokenReason(owner, reading);
    if (broken === undefined) owner?.bound.see(reading.issuedMs, nowMs);
    const untold = broken === undefined && this.#untold.size > 0 && this.#untold.delete(reading.issuedMs);
    return { claims: reading, owner, broken, untold };
  }

  /**
   * Reads the first valid copy. A browser sends a stray copy (longer path, other domain) with each request, and a new
   * cookie cannot replace it. When all copies are bad, the first one counts.
   */
  #read(exchange: Exchange, nowMs: number): AffinityReading {
    const name = this.cookieName(exchange);
    const { secure } = exchange;
    const first = this.#cookies.read(exchange.cookie(name), secure, nowMs);
    for (let nth = 1; first.kind === 'bad' && nth < copiesMax; nth += 1) {
      const other = this.#cookies.read(exchange.cookie(name, nth), secure, nowMs);
      if (other.kind === 'bound') return other;
    }
    return first;
  }

  /**
   * Whether to wait for the backend that holds the session, as strict affinity demands. Waiting helps only while that
   * backend is down in the boot that the cookie names. A rebooted, removed or drained backend will never have the
   * session again.
   */
  mustWait(binding: Binding): boolean {
    return this.#onLost === 'strict' && binding.broken === 'down';
  }

  /** Returns a cookie for the answer of `member` when the binding changed or needs a refresh, else nothing. */
  renew(binding: Binding, member: Member, exchange: Exchange, head: AnswerHead, nowMs: number): readonly AddedHeader[] {
    const { claims } = binding;
    const same = claims !== undefined && binding.owner === member && member.isBoot(claims.incarnation, claims.issuedMs);
    if (same && !this.#cookies.needsRefresh(claims, nowMs)) return nothingAdded;
    if (this.#onLost === 'temporary' && binding.broken === 'down') return nothingAdded;
    const backendId = this.#ids.get(member);
    if (backendId === undefined) return nothingAdded;
    if (!same && claims !== undefined) binding.owner?.bound.forget(claims.issuedMs);
    const issuedMs = same ? claims.issuedMs : this.#issueTimes.next(nowMs);
    member.bound.see(issuedMs, nowMs);
    if (!same && binding.owner === member && binding.broken === undefined) this.#rememberUntold(issuedMs);
    // Another proxy may have known a newer boot when it wrote the name into the cookie.
    const incarnation = (same && claims.incarnation) || member.bootName;
    const identity = { backendId, incarnation, issuedMs };
    return [['set-cookie', this.#cookies.issue(identity, exchange.secure, nowMs)], ...markPrivate(head)];
  }

  #rememberUntold(issuedMs: number): void {
    this.#untold.add(issuedMs);
    if (this.#untold.size > untoldMax) for (const first of this.#untold) return void this.#untold.delete(first);
  }
}

function findBrokenReason(owner: Member, { incarnation, issuedMs }: Claims): BrokenReason | undefined {
  if (!owner.isBoot(incarnation, issuedMs)) return 'reborn';
  if (owner.keepsBound) return undefined;
  return owner.state === 'draining' ? 'draining' : 'down';
}

/** Marks the answer as private. A shared cache would give one browser's binding to others (RFC 9111 §5.2.2.7). */
function markPrivate(head: AnswerHead): readonly AddedHeader[] {
  const given = head.header('cache-control') ?? '';
  if (/(?:^|[\s,])(?:no-store|private)\s*(?:,|$)/i.test(given)) return [];
  const others = given.split(',').filter(directive => !/^\s*(?:public|s-maxage\s*=.*)?\s*$/i.test(directive));
  return [['cache-control', ['private', ...others.map(directive => directive.trim())].join(', ')]];
}
