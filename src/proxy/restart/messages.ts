import type { KeyRing } from '../../shared/key-ring.js';
import type { HandedBinding } from '../affinity/learned-bindings.js';
import type { ProxySnapshot } from './snapshot.js';
import type { SocketAddress, SocketName } from './takeover.js';

/*
 * The messages between a proxy and its successor, on the channel that Node gives a child process. Everything is plain
 * data that survives a structured clone. Keys travel here only, never by command line or environment.
 *
 *   successor: ask-snapshot -> socket ... (the backends were probed) -> serving
 *   predecessor:  snapshot  <- socket ...                                       stops accepting
 *                 binding ... until it ends
 */

/** Two versions of Holdfast with different numbers cannot replace each other. Raise it when a message changes. */
export const protocolVersion = 1;

/** This variable in the environment tells a process that its parent is the proxy to replace. */
export const successorVariable = 'HOLDFAST_SUCCESSOR';

/** The values that the command line of the proxy keeps over a reload. */
export interface SiteSnapshot {
  /** A generated key ring. Undefined: the ring was given. */
  readonly keys: KeyRing | undefined;
  /** The names of the backends by the host of their pool, a space, and their origin. */
  readonly names: ReadonlyMap<string, string>;
}

export interface ProcessSnapshot {
  readonly proxy: ProxySnapshot;
  readonly site: SiteSnapshot;
}

export type ToPredecessor =
  | { readonly kind: 'ask-snapshot'; readonly version: number }
  | { readonly kind: 'ask-socket'; readonly name: SocketName; readonly address: SocketAddress }
  /** It accepts connections. */
  | { readonly kind: 'serving' }
  /** It cannot serve, and ends. */
  | { readonly kind: 'failed'; readonly reason: string };

export type ToSuccessor =
  | { readonly kind: 'snapshot'; readonly snapshot: ProcessSnapshot }
  /** The version of the successor does not fit. */
  | { readonly kind: 'other-version'; readonly version: number }
  /** Carries the socket of a port. Without one, the successor must bind the address. */
  | { readonly kind: 'socket'; readonly isOpen: boolean }
  /** Sent until the predecessor ends: a binding that it has learnt after its snapshot was sent. */
  | { readonly kind: 'binding'; readonly binding: HandedBinding };
