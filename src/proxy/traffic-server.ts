import type { ServingOptions } from './options.js';
import type { Member } from './pool/member.js';
import type { ProxyCounts } from './telemetry/proxy-counts.js';

/**
 * What serves, as whoever decides (`control.ts`) sees it: this process itself (`serving.ts`), which shares the members
 * of the pool, or its workers, which are told of them.
 */
export interface TrafficServer {
  /** Resolves when it cannot go on serving, with the reason as a sentence; closing it is the caller's. */
  readonly failed: Promise<string>;
  /** Resolves when the port is bound; rejects with the system's error (`EADDRINUSE`, `EACCES`). */
  listen(): Promise<{ readonly port: number }>;
  /** A backend joined the pool: before the first exchange that could be for it. */
  join(member: Member): void;
  /** It is now as its `facts` say. */
  tell(member: Member): void;
  /** It left the pool: its browsers are bound to nobody. */
  leave(member: Member): void;
  /**
   * Brings `inFlightElsewhere` and the bound browsers of every member up to date. What was told before holds everywhere
   * when it resolves.
   */
  refresh(): Promise<void>;
  /** What was counted, as of the last `refresh`, by each process that serves or served. */
  counts(): readonly ProxyCounts[];
  /** These hold for every request that arrives from here on. Rejects when they cannot be used: nothing has changed then. */
  reload(options: ServingOptions): Promise<void>;
  /** Accepts nothing more; resolves when what was in flight is finished, at most `graceMs` later. */
  close(graceMs: number): Promise<void>;
}
