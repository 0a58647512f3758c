import type { Server } from 'node:net';
import type { HandedBinding } from '../affinity/learned-bindings.js';
import type { RunningProxy } from '../options.js';
import type { BoundAddress, OpenSocket } from '../sockets/listen.js';
import type { ProxySnapshot } from './snapshot.js';

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
