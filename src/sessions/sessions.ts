import type { IncomingMessage, ServerResponse } from 'node:http';
import { send, sendFailure } from './answer.js';
import { cameOverTls, cookieName, readCookie } from './cookie.js';
import { SessionError } from './errors.js';
import { LiveVisit } from './live-visit.js';
import type { NoSession, Session, SessionData } from './session.js';
import type { SessionStrategy } from './session-strategy.js';

/** What a handler may do with the visitor's session. Every change is committed when its promise resolves; those that are
 * asked for at the same time are made one after the other. */
export interface Visit {
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

export type Handler = (visit: Visit) => Promise<Reply>;

export interface Sessions {
  /** Never rejects: a `SessionError` becomes its status, anything else 500. Headers set on `response` before are kept. */
  respond(request: IncomingMessage, response: ServerResponse, handler: Handler): Promise<void>;
  /** How often each thing happened since the start, by name: `opened`, `absent`, `unknown`, `begun`, `StoreUnavailable` … */
  readonly counts: Readonly<Record<string, number>>;
  /** True as soon as sessions can be served, false when not within `withinMs`. Never rejects. */
  ready(withinMs: number): Promise<boolean>;
  /** Of any user's sessions, as `SessionStrategy` has it. */
  readonly list: SessionStrategy['list'];
  readonly endOne: SessionStrategy['endOne'];
  readonly endAll: SessionStrategy['endAll'];
  readonly endEveryone: SessionStrategy['endEveryone'];
  close(): Promise<void>;
}

export interface SessionsSettings {
  readonly strategy: SessionStrategy;
  readonly ready: (withinMs: number) => Promise<boolean>;
  /** Every request came over TLS, whatever its headers say. */
  readonly secure: boolean;
  readonly onError: (error: unknown) => void;
}

export function serveSessions({ strategy, ready, secure, onError }: SessionsSettings): Sessions {
  const counts: Record<string, number> = {};
  const count = (name: string) => {
    counts[name] = (counts[name] ?? 0) + 1;
  };

  /** cookie -> token -> session -> handler (commits) -> cookie -> headers and body */
  async function respond(request: IncomingMessage, response: ServerResponse, handler: Handler): Promise<void> {
    const isSecure = secure || cameOverTls(request.headers);
    const visit = new LiveVisit(strategy, count);
    try {
      await visit.open(readCookie(request.headers.cookie, cookieName(isSecure)));
      const reply = await handler(visit);
      await visit.close();
      send(response, reply, visit.traces, isSecure);
    } catch (error) {
      await visit.close().catch(() => undefined);
      report(error);
      sendFailure(response, error, visit.traces, isSecure);
    }
  }

  function report(error: unknown): void {
    const isOurs = error instanceof SessionError;
    count(isOurs ? error.name : 'failed');
    // An outage is told at its edges by the store; once more for each request would only bury that line.
    if (!isOurs || error.status === 500) onError(error);
  }

  return {
    respond,
    counts,
    ready,
    list: user => strategy.list(user),
    endOne: (user, handle) => strategy.endOne(user, handle),
    endAll: (user, except) => strategy.endAll(user, except),
    endEveryone: () => strategy.endEveryone(),
    close: () => strategy.close(),
  };
}
