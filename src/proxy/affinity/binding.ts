import type { AddedHeader, AnswerHead, Exchange } from '../exchange.js';
import type { AffinityOptions } from '../options.js';
import type { Member } from '../pool/member.js';
import { chooseByKey } from '../rendezvous-hash.js';
import type { Claims } from './affinity-cookie.js';

/** Why a browser's cookie does not lead to a backend. `forged` counts as no cookie, so the backend is not told. */
export type BrokenReason = 'down' | 'draining' | 'expired' | 'reborn' | 'unknown' | 'forged';

/** The meaning of a browser's cookie for one exchange. */
export interface Binding {
  /** The content of the cookie; undefined when it is not genuine. */
  readonly claims: Claims | undefined;
  /** The backend that the cookie names, usable or not. */
  readonly owner: Member | undefined;
  /**
   * The backend that gets the request, because it holds the session of the browser. It is the owner, if the binding is in
   * force. It is also the owner if the binding has expired and that backend is ready and the same boot. Undefined: the
   * policy chooses.
   */
  readonly target: Member | undefined;
  readonly broken: BrokenReason | undefined;
  /** The previous binding broke, and no backend has got the header `holdfast-affinity` yet. */
  readonly mustNotify: boolean;
}

export const unbound: Binding = {
  claims: undefined,
  owner: undefined,
  target: undefined,
  broken: undefined,
  mustNotify: false,
};

/** Knows to which backend each browser is bound. */
export interface Affinity {
  /** Adds a backend, once, before the first exchange that could be bound to it. */
  join(member: Member): void;
  /** The proxy's own cookie for this exchange, which the app must not see. Empty: it has none. */
  cookieName(exchange: Exchange): string;
  /** Reads the binding. The browser then counts as bound. */
  readBinding(exchange: Exchange, nowMs: number): Binding;
  /**
   * Whether the browser must wait for the backend that holds its session (strict affinity). Waiting helps only while that
   * backend is down in the boot that was bound. A rebooted, removed or drained backend never has the session again.
   */
  mustWait(binding: Binding): boolean;
  /**
   * Chooses the backend that serves the browser while its own one is down (temporary affinity). The browser gets the same
   * one for each request, as long as that one can be used. Undefined: the policy chooses.
   */
  chooseTemporary(binding: Binding, candidates: readonly Member[]): Member | undefined;
  /** Binds the browser to the backend that answers, if that is new. Returns the lines to add to the answer. */
  renew(binding: Binding, member: Member, exchange: Exchange, head: AnswerHead, nowMs: number): readonly AddedHeader[];
}

/** Implements `Affinity.mustWait`. */
export function mustWait(onLost: AffinityOptions['onLost'], { broken }: Binding): boolean {
  return onLost === 'strict' && broken === 'down';
}

/** Implements `Affinity.chooseTemporary`. */
export function chooseTemporary(
  onLost: AffinityOptions['onLost'],
  { claims, broken }: Binding,
  candidates: readonly Member[],
): Member | undefined {
  if (onLost !== 'temporary' || broken !== 'down' || claims === undefined) return undefined;
  return chooseByKey(claims.browser, candidates);
}

/**
 * Decides what genuine claims mean now. `inDate`: the browser was neither idle nor bound for too long. It runs for each
 * request, so it makes one object and no copy.
 */
export function judgeClaims(claims: Claims, owner: Member | undefined, inDate: boolean): Binding {
  if (!inDate) {
    const target = owner !== undefined && canTakeBack(owner, claims) ? owner : undefined;
    return { claims, owner, target, broken: 'expired', mustNotify: false };
  }
  const broken = findBrokenReason(owner, claims);
  return { claims, owner, target: broken === undefined ? owner : undefined, broken, mustNotify: false };
}

/** Checks a binding again, for a request that has waited. */
export function recheckBinding(binding: Binding): Binding {
  const { claims, owner, target, broken } = binding;
  if (claims === undefined || target === undefined) return binding;
  if (broken !== undefined) return canTakeBack(target, claims) ? binding : { ...binding, target: undefined };
  const reason = findBrokenReason(owner, claims);
  return reason === undefined ? binding : { ...binding, target: undefined, broken: reason };
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

/** Whether the backend may be bound anew to a browser after the binding has expired. */
function canTakeBack(owner: Member, claims: Claims): boolean {
  return !owner.removed && owner.state === 'ready' && owner.weight > 0 && isSameBoot(owner, claims);
}

export function isSameBoot(member: Member, { incarnation, issuedMs }: Claims): boolean {
  return member.isBoot(incarnation, issuedMs);
}
