import type { Edit, NoSession, Session, SessionData } from './session.js';

/** The visitor's session, as a request handler sees it. A change is committed when its promise resolves. Changes that
 * are requested in parallel run one after the other. */
export interface SessionContext {
  /** Undefined for an anonymous visitor; `why` then gives the reason. */
  readonly session: Session | undefined;
  readonly why: NoSession | undefined;
  /** Begins a session under a fresh token. Ends the present session, if there is one. */
  begin(user: string, data: SessionData): Promise<void>;
  /**
   * Applies `edit` and resolves with the new data. Rejects with `SessionGone` if there is no session, or it ended
   * meanwhile. Rejects with `TypeError`, before anything is written, if `edit` is async.
   */
  change(edit: Edit): Promise<SessionData>;
  /**
   * Moves the session to a fresh token and applies `edit`. The old token is invalid at once. Rejects as `change` does.
   */
  rotate(edit?: Edit): Promise<void>;
  end(): Promise<void>;
  /** Ends all other sessions of this user. Resolves with their number. Rejects as `change` does. */
  endOthers(): Promise<number>;
  /** The handle of the present session in `Sessions.list`. */
  readonly handle: string | undefined;
}

/** The response of a handler, as a value. So no header is sent before the session is committed. */
export interface Reply {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string | readonly string[]>>;
  readonly body?: string;
}

export type Handler = (context: SessionContext) => Promise<Reply>;
