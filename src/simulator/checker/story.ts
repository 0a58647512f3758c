import type { Operation } from '../history/records.js';
import { type Session, sessionsOf } from './sessions.js';
import { type Token, tokensOf } from './tokens.js';
import type { Verification } from './verification.js';

/** All that is known of one user. */
export interface Story {
  /** In the order of sending. */
  readonly operations: readonly Operation[];
  /** By number. */
  readonly sessions: readonly Session[];
  readonly tokens: ReadonlyMap<string, Token>;
}

export function storyOf(operations: readonly Operation[], verification: Verification): Story {
  const sessions = sessionsOf(operations, verification);
  return { operations, sessions, tokens: tokensOf(operations, sessions) };
}
