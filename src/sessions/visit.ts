import type { NoSession, Session, SessionData } from './session.js';

/** What a handler may do with the visitor's session. Every change is committed when its promise resolves; those that are
 * asked for at the same time are made one after the other. */
export interface SessionContext {
  /** Undefined for an anonymous visitor; then `why` says which kind. */
  readonly session: Session | undefined;
  readonly why: NoSession | undefined;
  /** Ends the present session if there is one, and begins another under a fresh token. */
  begin(user: string, data: SessionData): Promise<void>;
  /** Rejects with `SessionGone` when the session ended meanwhile (or there is none); resolves with the new data. */
  change(edit: (data: SessionData) => void): Promise<SessionData>;
  /** The same session under a fresh token, with `edit` applied; the old token is dead. Rejects as `change` does. */
  rotate(edit?: (data: SessionData) => void): Promise<void>;
  end(): Promise<void>;
  /** How `Sessions.list` names the present session. */
  readonly handle: string | undefined;
}

/** What a handler answers: a value, so that no header can leave before the session is committed. */
export interface Reply {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string | readonly string[]>>;
  readonly body?: string;
}

export type Handler = (visit: SessionContext) => Promise<Reply>;
