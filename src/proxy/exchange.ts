import type { Socket } from 'node:net';
import type { BackendTls } from './backend-tls.js';
import type { Backend } from './backends.js';

/**
 * One request as an engine offers it to the heart (`proxy.ts`). Head only: bodies stream inside the engine.
 *
 * The heart calls `send` once per attempt, one after the other, and in the end either an attempt was `answered` or
 * `cut`, or the heart calls `refuse` exactly once. Nothing here rejects: an outcome is data.
 */
export interface Exchange {
  readonly method: string;
  /** Request target as received: path and query. */
  readonly path: string;
  /** The peer's IP address, without the port. */
  readonly clientAddress: string;
  /** The client came over TLS: to this proxy, or to a trusted one in front that says so (X-Forwarded-Proto). */
  readonly secure: boolean;
  /** A protocol upgrade (WebSocket): after a 101 the engine tunnels, and the attempt is over when the tunnel is. */
  readonly upgrade: boolean;
  /** Whether the request body is still whole in the replay buffer (no body counts as whole). */
  readonly replayable: boolean;
  /** The raw value of the named request cookie, or of its copy number `nth` from 0; undefined when there is none. */
  cookie(name: string, nth?: number): string | undefined;
  /** The value of the named request header (lower case), several lines joined by `, `; undefined when there is none. */
  header(name: string): string | undefined;
  /** One attempt. Resolves when the answer is complete, or as soon as it is certain that there will be none. */
  send(backend: Backend, edits: HeaderEdits): Promise<Outcome>;
  /** Ends the attempt that waits for the head of an answer as `broken-off`. No effect once the answer has begun. */
  breakOff(): void;
  /** Closes the tunnel of an upgrade on both sides, in order. No effect as long as there is none. */
  endTunnel(): void;
  /** The proxy's own answer: `text/plain`, with the given headers. Never after an attempt whose answer had begun. */
  refuse(status: number, reason: string, headers: Readonly<Record<string, string>>): void;
}

/** What the heart changes in the heads that pass. Names are lower case. */
export interface HeaderEdits {
  /** Set on the request; `undefined` removes every copy that the client sent. */
  readonly request: Readonly<Record<string, string | undefined>>;
  /**
   * Affinity is not the app's business: this cookie is taken out of the request's Cookie header, and out of the answer
   * where the app sets it itself. Empty: none.
   */
  readonly ownCookie: string;
  /** Called once, when the head of the answer has arrived; what it returns is added to the answer's header lines. */
  onAnswer(head: AnswerHead): readonly AddedHeader[];
}

export interface AnswerHead {
  readonly status: number;
  header(name: string): string | undefined;
}

/** `set-cookie` is appended beside the backend's own; any other name replaces. */
export type AddedHeader = readonly [name: string, value: string];

export const nothingAdded: readonly AddedHeader[] = [];

/** How one attempt ended. */
export type Outcome =
  /** The answer reached the client whole (a HEAD, 204 or 304 without a body; an upgrade after its tunnel closed). */
  | { readonly kind: 'answered'; readonly status: number }
  /** No byte of the request reached the backend: safe to try another, whatever the method. */
  | { readonly kind: 'refused'; readonly reason: AttemptFailure }
  /** Bytes were sent and no answer began: try another only for a safe or idempotent method. */
  | { readonly kind: 'broken-off'; readonly reason: AttemptFailure }
  /** The answer had begun and did not end: nothing to retry; the client's connection was closed to say so. */
  | { readonly kind: 'cut'; readonly reason: AttemptFailure }
  /** The client went away first; nobody waits for an answer. */
  | { readonly kind: 'abandoned' };

/** Names from RFC 9209 §2.3 (Proxy-Status error types) where one fits; `marked_down` is ours (see `breakOff`). */
export type AttemptFailure =
  | 'connection_refused'
  | 'connection_timeout'
  | 'connection_terminated'
  | 'http_response_timeout'
  | 'http_protocol_error'
  /** Found before a byte of the request was sent: always `refused`. */
  | 'tls_certificate_error'
  | 'tls_protocol_error'
  | 'marked_down';

/** A client's connection as the front door (`front.ts`) hands it over: accepted, and out of any TLS. */
export interface ClientConnection {
  /** One out of TLS gives plain bytes, and can be reset, as any other. Nothing was read that is not there to be read. */
  readonly socket: Socket;
  /** The client's IP address, without the port; IPv4 in its own notation. */
  readonly clientAddress: string;
  /** It came over TLS. */
  readonly secure: boolean;
  /** The client is on the trust list: its X-Forwarded-For, -Proto and Forwarded are believed. */
  readonly trusted: boolean;
}

/** How the proxy speaks HTTP. An engine decides nothing: it offers exchanges and carries out what the heart says. */
export interface Engine {
  /** Connections that it has. */
  readonly connections: number;
  /** From here on the connection is the engine's, which closes it. After `close` it is closed at once. */
  take(connection: ClientConnection): void;
  /** Lets what is in flight finish for at most `graceMs`, then closes everything. */
  close(graceMs: number): Promise<void>;
}

/** Bounds that an engine enforces. */
export interface EngineLimits {
  readonly connectMs: number;
  readonly responseHeadMs: number;
  readonly idleBodyMs: number;
  readonly clientHeadMs: number;
  readonly headerBytesMax: number;
  readonly headerFieldsMax: number;
  /** Request bodies up to this size are kept for a replay on another backend. */
  readonly replayBytesMax: number;
}

/** What an engine is made of. */
export interface EngineParts {
  /** Called once for each request, when its head is in. */
  readonly onExchange: (exchange: Exchange) => void;
  readonly limits: EngineLimits;
  /** For backends with `https:` URLs (see `backendTlsOptions`); undefined: verified as Node does by itself. */
  readonly backendTls: BackendTls | undefined;
  /** Backends are told the way in a `Forwarded` field too (RFC 7239). */
  readonly forwarded: boolean;
}

export type EngineFactory = (parts: EngineParts) => Engine;
