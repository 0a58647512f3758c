import { randomBytes } from 'node:crypto';
import type { Server } from 'node:net';
import type { HandedBinding } from '../affinity/learned-affinity.js';
import { hasSameAddress, isSame } from '../control/reload.js';
import type { TlsPair } from '../front/tls-pair.js';
import { type HostedBackend, listBackends } from '../hosts.js';
import { type ProxyOptions, pickServingOptions, type RunningProxy, type ServingOptions } from '../options.js';
import type { MemberFacts, MemberSnapshot } from '../pool/member.js';
import type { LeftBackend } from '../pool/pool.js';
import type { LeftByHost, Pools } from '../pool/pools.js';
import type { BoundAddress, OpenSocket } from '../sockets.js';

/** The sockets of a proxy, by their purpose. */
export type SocketName = 'traffic' | 'admin' | 'health' | 'redirect';

/** A port, or the path of a Unix socket. */
export type SocketAddress = BoundAddress | { readonly path: string };

/** Gives sockets that another process has opened. */
export interface OpenSockets {
  /** Resolves with the socket for this purpose. Undefined: there is none for this address, so it must be bound. */
  take(name: SocketName, address: BoundAddress): Promise<OpenSocket | undefined>;
  /** Resolves with whether the replaced process has this Unix socket, so that a new one may take its place. */
  mayReplace(name: SocketName, path: string): Promise<boolean>;
}

/** The state and the sockets that a proxy gets from the process that it replaces. */
export interface Takeover {
  /** Undefined: it replaces no proxy, and gets sockets of systemd only. */
  readonly snapshot: ProxySnapshot | undefined;
  readonly sockets: OpenSockets;
  /** Calls `adopt` for each binding that the predecessor learns after it has sent its snapshot. */
  readonly follow?: ((adopt: (binding: HandedBinding) => void) => void) | undefined;
}

/** A server, and the address that was asked for. */
export interface ListeningSocket {
  readonly server: Server;
  readonly address: SocketAddress;
}

/** A running proxy that a successor can replace. */
export interface ReplaceableProxy extends RunningProxy {
  /**
   * Returns the state that a successor needs. It holds keys. From then on the admin API refuses orders, because they would
   * be lost.
   */
  beginHandover(): ProxySnapshot;
  /** Accepts orders again. Call it when the successor has failed. */
  cancelHandover(): void;
  /** Returns the server that has this socket, and the address that was asked for. Undefined: there is none. */
  socketOf(name: SocketName): ListeningSocket | undefined;
  /** Calls `listener` for each binding that is learnt from now on. */
  onBinding(listener: (binding: HandedBinding) => void): void;
}

const bindAll: OpenSockets = { take: async () => undefined, mayReplace: async () => false };

export const noTakeover: Takeover = { snapshot: undefined, sockets: bindAll };

/** The state of a proxy that its successor needs, so that no session moves. Plain data; it holds keys. */
export interface ProxySnapshot {
  /** The backends of its settings, without the orders of the admin API. */
  readonly listed: readonly Pick<MemberFacts, 'name' | 'identity' | 'url' | 'host' | 'weight'>[];
  readonly members: readonly MemberSnapshot[];
  readonly left: LeftByHost;
  /** The bindings of every `LearnedAffinity`. */
  readonly bindings: readonly HandedBinding[];
  /** The keys of its TLS session tickets by their certificate. */
  readonly tickets: ReadonlyMap<string, Buffer>;
}

/** Returns the state that a successor needs, as it is now. `serving`: the options with the ticket keys. */
export function takeSnapshot(
  options: ProxyOptions,
  { tls, hosts }: ServingOptions,
  { members, left }: Pools,
  bindings: readonly HandedBinding[],
): ProxySnapshot {
  const pairs = [tls, ...hosts.map(host => host.tls)].filter(pair => pair !== undefined);
  return {
    listed: listBackends(options).map(({ name, identity, url, host, weight = 1 }) => ({
      name,
      identity: identity ?? url.origin,
      url: url.origin,
      host,
      weight,
    })),
    members: members.map(({ facts, bound }) => ({ facts, bound: bound.all })),
    left,
    bindings,
    tickets: new Map(pairs.flatMap(({ cert, ticketKeys }) => (ticketKeys ? [[cert, ticketKeys] as const] : []))),
  };
}

/** A backend with which a successor begins. */
export interface BackendAtStart extends HostedBackend {
  readonly snapshot?: MemberSnapshot;
}

/**
 * Computes the backends with which a successor begins. What the admin API has added, removed or weighed stays so, as at
 * a reload: only the difference between the old settings and the new settings is applied.
 */
export function planBackends(snapshot: ProxySnapshot, next: readonly HostedBackend[]): readonly BackendAtStart[] {
  const listed = snapshot.listed.map(toBackend);
  const stays = snapshot.members.flatMap(member => {
    const backend = toBackend(member.facts);
    const given = next.find(other => isSame(other, backend));
    if (given === undefined && (has(listed, backend) || isReplaced(backend, next))) return [];
    // It keeps its name, so that an order of the operator reaches the same backend.
    const isFree = !next.some(other => other !== given && other.name === backend.name);
    const { name } = given !== undefined && !isFree ? given : backend;
    return [{ ...(given ?? backend), name, weight: chooseWeight(member.facts, listed, given), snapshot: member }];
  });
  return [...stays, ...next.filter(backend => !has(listed, backend) && !has(stays, backend))];
}

function has(backends: readonly HostedBackend[], backend: HostedBackend): boolean {
  return backends.some(other => isSame(other, backend));
}

/** Whether the new settings give its name or its address to another backend. */
function isReplaced(backend: HostedBackend, next: readonly HostedBackend[]): boolean {
  return next.some(other => other.name === backend.name || hasSameAddress(other, backend));
}

/** Returns all backends that are not there any more. */
export function listLeft(snapshot: ProxySnapshot, start: readonly BackendAtStart[]): LeftByHost {
  const left = new Map<string, Map<string, LeftBackend>>();
  for (const [host, backends] of snapshot.left) left.set(host, new Map(backends));
  for (const member of snapshot.members) {
    if (start.some(backend => backend.snapshot === member)) continue;
    const { host, identity, name, boot } = member.facts;
    left.set(host, (left.get(host) ?? new Map()).set(identity, { name, boot }));
  }
  return left;
}

/** Returns the pair with the old ticket keys. A new certificate gets new keys, so that every client sees it. */
export function keepTickets(pair: TlsPair, { tickets }: Pick<ProxySnapshot, 'tickets'>): TlsPair {
  const ticketKeys = tickets.get(pair.cert);
  return ticketKeys === undefined ? pair : { ...pair, ticketKeys };
}

/**
 * Picks the options of the serving part, and adds keys for session tickets. Workers and a successor need the same keys: a
 * client that returns to another process would need a full handshake there.
 */
export function buildServingOptions(options: ProxyOptions, snapshot?: ProxySnapshot): ServingOptions {
  const serving = pickServingOptions(options);
  const ticketKeys = randomBytes(48);
  const add = (pair: ServingOptions['tls']) => {
    if (pair === undefined) return undefined;
    const own = { ...pair, ticketKeys };
    return snapshot === undefined ? own : keepTickets(own, snapshot);
  };
  return { ...serving, tls: add(serving.tls), hosts: serving.hosts.map(host => ({ ...host, tls: add(host.tls) })) };
}

/** A weight that the settings have changed wins over one that the admin API gave. */
function chooseWeight(facts: MemberFacts, listed: readonly HostedBackend[], given: HostedBackend | undefined): number {
  const before = listed.find(backend => isSame(backend, toBackend(facts)))?.weight ?? 1;
  const now = given?.weight ?? 1;
  return given !== undefined && now !== before ? now : facts.weight;
}

function toBackend({ name, identity, url, host, weight }: ProxySnapshot['listed'][number]): HostedBackend {
  return { name, identity, url: new URL(url), host, weight };
}
