import { type AddedHeader, type AnswerHead, type Exchange, nothingAdded } from '../exchange.js';
import type { AffinityOptions } from '../options.js';
import type { Member } from '../pool/member.js';
import type { AffinityCookies, AffinityReading } from './affinity-cookie.js';
import type { IssueTimes } from './issue-times.js';

/** Why a browser's cookie does not lead to a backend. `forged` is as good as no cookie: the backend is not told. */
export type BrokenReason = 'down' | 'draining' | 'expired' | 'reborn' | 'unknown' | 'forged';

type Claims = Extract<AffinityReading, { kind: 'bound' }>;

/** What a browser's cookie means for one exchange. */
export interface Binding {
  /** What the cookie says; undefined when there is none that counts. */
  readonly claims: Claims | undefined;
  /** The backend of the cookie, usable or not. */
  readonly owner: Member | undefined;
  readonly broken: BrokenReason | undefined;
  /** The binding before this one broke, and no backend was told yet. */
  readonly untold: boolean;
}

export const unbound: Binding = { claims: undefined, owner: undefined, broken: undefined, untold: false };

/** Browsers whose next request has something to tell. One that never comes again is forgotten when this is full. */
const untoldMax = 4096;

/** Copies of the cookie in one request that are looked at. */
const copiesMax = 3;

/** Joins the cookies to the backends of the pool. */
export class Affinity {
  readonly #cookies: AffinityCookies;
  readonly #onLost: AffinityOptions['onLost'];
  readonly #ids = new WeakMap<Member, string>();
  readonly #members = new Map<string, Member>();
  /** Bound anew when their answer was the first to tell of a new boot, by the moment of issue. */
  readonly #untold = new Set<number>();
  readonly #moments: IssueTimes;

  constructor(cookies: AffinityCookies, onLost: AffinityOptions['onLost'], moments: IssueTimes) {
    this.#moments = moments;
    this.#cookies = cookies;
    this.#onLost = onLost;
  }

  /** Each backend once, before the first exchange that could be bound to it (see `AffinityCookies.backendId`). */
  join(member: Member): void {
    for (const [id, other] of this.#members) if (other.removed) this.#members.delete(id);
    const id = this.#cookies.backendId(member.name);
    this.#ids.set(member, id);
    this.#members.set(id, member);
  }

  cookieName(exchange: Exchange): string {
    return this.#cookies.nameFor(exchange.secure);
  }

  arrive(exchange: Exchange, nowMs: number): Binding {
    const reading = this.#read(exchange, nowMs);
    if (reading.kind === 'none') return unbound;
    if (reading.kind === 'bad') return { ...unbound, broken: reading.reason };
    const owner = this.#members.get(reading.backendId);
    const broken = owner === undefined || owner.removed ? 'unknown' : brokenBy(owner, reading);
    if (broken === undefined) owner?.bound.see(reading.issuedMs, nowMs);
    const untold = broken === undefined && this.#untold.size > 0 && this.#untold.delete(reading.issuedMs);
    return { claims: reading, owner, broken, untold };
  }

  /**
   * The first good one: a stray copy for a longer path or another domain comes along with each request of the browser,
   * and no new cookie could ever replace it. When all are bad, what the first one is counts.
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
   * Strict means waiting for the backend that holds the session. That is worth something only while it is down in the
   * boot that the cookie names: one that was reborn, removed or drained will never have the session again.
   */
  mustWait(binding: Binding): boolean {
    return this.#onLost === 'strict' && binding.broken === 'down';
  }

  /** What the answer of `member` gets: a cookie when the binding changed or is to be refreshed, else nothing. */
  renew(binding: Binding, member: Member, exchange: Exchange, head: AnswerHead, nowMs: number): readonly AddedHeader[] {
    const { claims } = binding;
    const same = claims !== undefined && binding.owner === member && member.isBoot(claims.incarnation, claims.issuedMs);
    if (same && !this.#cookies.needsRefresh(claims, nowMs)) return nothingAdded;
    if (this.#onLost === 'temporary' && binding.broken === 'down') return nothingAdded;
    const backendId = this.#ids.get(member);
    if (backendId === undefined) return nothingAdded;
    if (!same && claims !== undefined) binding.owner?.bound.forget(claims.issuedMs);
    const issuedMs = same ? claims.issuedMs : this.#moments.next(nowMs);
    member.bound.see(issuedMs, nowMs);
    if (!same && binding.owner === member && binding.broken === undefined) this.#tellNext(issuedMs);
    // Another proxy may have known a newer boot when it wrote the name into the cookie.
    const incarnation = (same && claims.incarnation) || member.bootName;
    const identity = { backendId, incarnation, issuedMs };
    return [['set-cookie', this.#cookies.issue(identity, exchange.secure, nowMs)], ...keptPrivate(head)];
  }

  #tellNext(issuedMs: number): void {
    this.#untold.add(issuedMs);
    if (this.#untold.size > untoldMax) for (const first of this.#untold) return void this.#untold.delete(first);
  }
}

function brokenBy(owner: Member, { incarnation, issuedMs }: Claims): BrokenReason | undefined {
  if (!owner.isBoot(incarnation, issuedMs)) return 'reborn';
  if (owner.keepsBound) return undefined;
  return owner.state === 'draining' ? 'draining' : 'down';
}

/** A shared cache that kept this answer would hand one browser's binding to everybody (RFC 9111 §5.2.2.7). */
function keptPrivate(head: AnswerHead): readonly AddedHeader[] {
  const given = head.header('cache-control') ?? '';
  if (/(?:^|[\s,])(?:no-store|private)\s*(?:,|$)/i.test(given)) return [];
  const others = given.split(',').filter(directive => !/^\s*(?:public|s-maxage\s*=.*)?\s*$/i.test(directive));
  return [['cache-control', ['private', ...others.map(directive => directive.trim())].join(', ')]];
}
