import type { ListedRun } from '../simulator/history/records.js';
import type { CommandReply, SideView, StoryReply, StrikeView } from './protocol.js';

/**
 * One side of the live lab: a running system (`live-run.ts`), or a recorded history that is played (`played-run.ts`).
 * The server (`live-server.ts`) knows nothing else of either.
 */
export interface Side {
  /** Returns what the page shows now. Cheap enough for ten calls a second. */
  view(): SideView;
  /** Says, in a sentence, that the machine is too busy for fair results at present. */
  warning?(): string | undefined;
  /** Judges every user that has news, so that the counters of `view` are those of `record`. */
  judgeAll(): void;
  /** Returns the history so far. */
  record(): ListedRun;
  /** Returns every operation of one user; undefined when there is no such user. */
  story(user: string): StoryReply | undefined;
  /** Called when a strike has changed its state. */
  onStrike: (strike: StrikeView, nowMs: number) => void;
  /** Stops everything and leaves nothing behind. Idempotent. */
  stop(): Promise<void>;
}

/** A side with a running system. Each command resolves with the problem in words; undefined when it was done. */
export interface StrikableSide extends Side {
  strike(fault: string, target: string, options?: Readonly<Record<string, unknown>>): Promise<string | undefined>;
  /** Heals the active strikes of a member, and those of its links. */
  heal(member: string): Promise<string | undefined>;
  setUsers(count: number): void;
  /** Forgets everything but the present sessions and the active strikes. */
  clear(): void;
}

export type Problems = CommandReply['problems'];
