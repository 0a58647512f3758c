import type { Binding, BrokenReason } from '../affinity/binding.js';
import { type AddedHeader, type AnswerHead, type HeaderEdits, nothingAdded } from '../exchange.js';
import type { Member } from '../pool/member.js';
import { countHop } from './max-forwards.js';
import type { ProxyParts } from './proxy-parts.js';
import type { RequestState } from './request-state.js';

/** The affinity header of an attempt; most attempts have none. Built once, because every request needs it. */
const noAffinityHeader: HeaderEdits['request'] = { 'holdfast-affinity': undefined };
const affinityHeaders: Readonly<Record<BrokenReason, HeaderEdits['request']>> = {
  down: buildAffinityHeader('down'),
  draining: buildAffinityHeader('draining'),
  expired: buildAffinityHeader('expired'),
  reborn: buildAffinityHeader('reborn'),
  unknown: buildAffinityHeader('unknown'),
  // A forged cookie counts as no cookie.
  forged: noAffinityHeader,
};

/** The changes that one attempt makes to the request head and the answer head. */
export class AttemptEdits implements HeaderEdits {
  readonly request: HeaderEdits['request'];
  readonly ownCookie: string;
  readonly #parts: ProxyParts;
  readonly #state: RequestState;
  readonly #member: Member;
  readonly #binding: Binding;
  /** The boot that was known when the request was sent. */
  readonly #boot: number;

  constructor(parts: ProxyParts, state: RequestState, member: Member) {
    const { exchange, binding } = state;
    const reason = binding.broken ?? (binding.mustNotify ? 'reborn' : undefined);
    const request = countHop(exchange, reason === undefined ? noAffinityHeader : affinityHeaders[reason]);
    this.request = state.requestId === undefined ? request : { ...request, 'x-request-id': state.requestId };
    this.ownCookie = parts.affinity?.cookieName(exchange) ?? '';
    this.#parts = parts;
    this.#state = state;
    this.#member = member;
    this.#binding = binding;
    this.#boot = member.boot;
  }

  /** Reads the incarnation first: this answer may be the first sign of a new boot. */
  onAnswer(head: AnswerHead): readonly AddedHeader[] {
    const member = this.#member;
    member.learn(head.header('holdfast-incarnation'), this.#boot);
    this.#state.trace?.recordHead(head.status, performance.now());
    const { requestId } = this.#state;
    let added = this.#renew(head);
    if (requestId !== undefined) added = [...added, ['x-request-id', requestId]];
    return this.#parts.namesBackends ? [...added, ...buildBackendHeaders(member)] : added;
  }

  #renew(head: AnswerHead): readonly AddedHeader[] {
    const { affinity, metrics, now } = this.#parts;
    if (affinity === undefined) return nothingAdded;
    const { owner, broken, claims } = this.#binding;
    const bound = claims !== undefined && owner === this.#member && broken === undefined;
    const state = this.#state;
    if (bound && !owner.isBoot(claims.incarnation, claims.issuedMs)) state.countAffinity(metrics, 'reborn');
    return affinity.renew(this.#binding, this.#member, state.exchange, head, now());
  }
}

function buildBackendHeaders({ name, incarnation }: Member): readonly AddedHeader[] {
  return [
    ['holdfast-backend', name],
    ['holdfast-incarnation', incarnation],
  ];
}

function buildAffinityHeader(reason: BrokenReason): HeaderEdits['request'] {
  return { 'holdfast-affinity': `broken; reason=${reason}` };
}
