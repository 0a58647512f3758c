import type { Server } from 'node:net';
import type { RunningProxy } from '../options.js';
import type { BoundAddress, OpenSocket } from './open-socket.js';
import type { ProxyPast } from './past.js';

/** The sockets of a proxy, by their purpose. */
export type SocketName = 'traffic' | 'admin' | 'redirect';

/** Gives sockets that another process has opened. */
export interface OpenSockets {
  /** Resolves with the socket for this purpose. Undefined: there is none for this address, so it must be bound. */
  take(name: SocketName, address: BoundAddress): Promise<OpenSocket | undefined>;
}

/** The things that a proxy gets from the process before it. */
export interface Takeover {
  /** Undefined: no proxy was there before. */
  readonly past: ProxyPast | undefined;
  readonly sockets: OpenSockets;
}

/** A running proxy that a successor can replace. */
export interface ReplaceableProxy extends RunningProxy {
  /** Returns what a successor must know. It holds keys. */
  past(): ProxyPast;
  /** Returns the server that has this socket, and the address that was asked for. Undefined: there is none. */
  socketOf(name: SocketName): { readonly server: Server; readonly address: BoundAddress } | undefined;
}

export const noTakeover: Takeover = { past: undefined, sockets: { take: () => Promise.resolve(undefined) } };
