import type { Server } from 'node:net';
import type { HandedBinding } from './affinity/learned-affinity.js';
import type { ServingOptions } from './options.js';
import type { Member } from './pool/member.js';
import type { BoundAddress, OpenSocket } from './sockets.js';
import type { ProxyCounts } from './telemetry/proxy-counts.js';

/**
 * The serving part, as `control.ts` sees it. It is either this process (`serving.ts`) or its workers. This process
 * shares the members of the pool; workers get messages about them.
 */
export interface TrafficServer {
  /** Resolves with a sentence when it cannot go on serving. The caller must close it. */
  readonly failed: Promise<string>;
  /** The server that accepts the connections of clients. A successor gets its socket. */
  readonly server: Server;
  /** The bindings that were learnt (see `LearnedAffinity`). */
  readonly bindings: readonly HandedBinding[];
  /** Called for each binding that is learnt later. */
  onBinding: ((binding: HandedBinding) => void) | undefined;
  /** Takes over a binding that another process has learnt. No effect if its backend is unknown. */
  adoptBinding(binding: HandedBinding): void;
  /** Resolves when the port is bound; rejects with the system's error (`EADDRINUSE`, `EACCES`). See `listenOn`. */
  listen(socket?: OpenSocket): Promise<BoundAddress>;
  /** Adds a backend that joined the pool. Called before the first exchange that could go to it. */
  join(member: Member): void;
  /** Publishes the member's new `facts`. */
  update(member: Member): void;
  /** Removes a backend that left the pool, with the bindings of its browsers. */
  leave(member: Member): void;
  /**
   * Updates `inFlightElsewhere` and the bound browsers of every member. When it resolves, earlier updates are in force
   * everywhere.
   */
  refresh(): Promise<void>;
  /** The counts of each process that serves or served, as of the last `refresh`. */
  counts(): readonly ProxyCounts[];
  /** Applies these options to every later request. Rejects when they cannot be used; then nothing has changed. */
  reload(options: ServingOptions): Promise<void>;
  /** From now on each connection is closed after its next answer, so that its client reconnects. New ones are accepted. */
  drainConnections(): void;
  /**
   * Stops accepting. Resolves when requests in flight are finished, at most `graceMs` later. `hasSuccessor`: another
   * process accepts on the same socket. Then no connection that was accepted here is closed before it got an answer.
   */
  close(graceMs: number, hasSuccessor?: boolean): Promise<void>;
}
