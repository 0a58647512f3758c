import type { Socket } from 'node:net';
import type { Backend } from './backends.js';
import type { IsTrusted } from './headers.js';
import type { BackendTls } from './sockets.js';

/**
 * One request as an engine offers it to the dispatcher (`proxy.ts`). It has the head only: bodies stream inside the
 * engine.
 *
 * The dispatcher calls `send` once per attempt, one attempt at a time. In the end an attempt was `answered` or `cut`,
 * or the dispatcher calls `refuse` exactly once. Nothing here rejects: an outcome is data.
 */
export interface Exchange {
  readonly method: string;
  /** Request target as received: path and query. */
  readonly path: string;
  /** The host that the request is for, as the client wrote it: of the target if that is absolute, else of `Host`. */
  readonly host: string | undefined;
  /**
   * The client's IP address, without the port: the peer's own, or the one that trusted proxies report (see
   * `deriveClientAddress`). Computed when it is read.
   */
  readonly clientAddress: string;
  /** The client uses TLS to this proxy, or a trusted proxy in front says so (X-Forwarded-Proto). */
  readonly secure: boolean;
  /** A protocol upgrade (WebSocket). After a 101 the engine tunnels, and the attempt ends with the tunnel. */
  readonly upgrade: boolean;
  /** The protocol between the client and this proxy. Undefined: HTTP/1.1 or HTTP/1.0. */
  readonly protocol?: 'h2' | undefined;
  /** Bytes of the request body that were read so far. Of a tunnel: bytes from the client. */
  readonly bytesIn: number;
  /** Bytes of the backend's answer body that were sent so far. Of a tunnel: bytes to the client. */
  readonly bytesOut: number;
  /** Whether the replay buffer still holds the whole request body. A request without a body is replayable. */
  readonly replayable: boolean;
  /** The raw value of the named request cookie, or of its copy number `nth` from 0. Undefined: there is none. */
  cookie(name: string, nth?: number): string | undefined;
  /** The value of the named request header (lower case). Several lines are joined by `, `. Undefined: there is none. */
  header(name: string): string | undefined;
  /**
   * Set by the dispatcher while the request waits and no attempt runs. The engine calls it when the client's connection
   * has closed.
   */
  onGone?: (() => void) | undefined;
  /** Makes one attempt. Resolves when the answer is complete, or once it is certain that no answer will come. */
  send(backend: Backend, edits: HeaderEdits): Promise<Outcome>;
  /**
   * Ends an attempt whose backend was marked down. While it waits for its connection, it ends as `refused`. While it
   * waits for the answer's head, it ends as `broken-off`, but only if the request `mayRepeat`. No effect once the
   * answer has begun.
   */
  breakOff(mayRepeat: boolean): void;
  /** Closes both sides of an upgrade's tunnel in order. No effect while there is no tunnel. */
  endTunnel(): void;
  /**
   * Sends the proxy's own answer as `text/plain` with these headers. Never called once a backend's answer has begun.
   */
  refuse(status: number, reason: string, headers: Readonly<Record<string, string>>): void;
}

/** The changes that the dispatcher makes to the heads that pass. Names are lower case. */
export interface HeaderEdits {
  /** Set on the request; `undefined` removes every copy that the client sent. */
  readonly request: Readonly<Record<string, string | undefined>>;
  /**
   * The affinity cookie, which the app must not see. It is removed from the request's Cookie header. If the app sets
   * it, it is removed from the answer too. Empty: there is no such cookie.
   */
  readonly ownCookie: string;
  /** Called once, when the head of the answer has arrived. The returned lines are added to the answer's head. */
  onAnswer(head: AnswerHead): readonly AddedHeader[];
}

export interface AnswerHead {
  readonly status: number;
  header(name: string): string | undefined;
}

/** `set-cookie` is appended beside the backend's own lines. Any other name replaces the backend's lines. */
export type AddedHeader = readonly [name: string, value: string];

export const nothingAdded: readonly AddedHeader[] = [];

/** How one attempt ended. */
export type Outcome =
  /** The whole answer reached the client. HEAD, 204 and 304 have no body; an upgrade ends with its tunnel. */
  | { readonly kind: 'answered'; readonly status: number }
  /** The backend received no byte of the request. Any method may be retried on another backend. */
  | { readonly kind: 'refused'; readonly reason: AttemptFailure }
  /** The proxy could not connect (see `isOwnFailure`). That says nothing about the backend, so it is not retried. */
  | { readonly kind: 'own-failure'; readonly reason: 'proxy_internal_error' }
  /** Bytes were sent and no answer began. Only a safe or idempotent method may be retried. */
  | { readonly kind: 'broken-off'; readonly reason: AttemptFailure }
  /** The answer began and did not end. It cannot be retried; the client's connection was closed to show that. */
  | { readonly kind: 'cut'; readonly reason: AttemptFailure }
  /** The client disconnected first, or its body was refused with the engine's `own` answer. No answer is needed. */
  | { readonly kind: 'abandoned'; readonly own?: Pick<EngineAnswer, 'status' | 'text'> };

/** Names from RFC 9209 §2.3 (Proxy-Status error types) where one fits. `marked_down` is ours (see `breakOff`). */
export type AttemptFailure =
  | 'connection_refused'
  | 'connection_timeout'
  | 'connection_terminated'
  | 'http_response_timeout'
  | 'http_protocol_error'
  /** Found before a byte of the request was sent, so the outcome is always `refused`. */
  | 'tls_certificate_error'
  | 'tls_protocol_error'
  /** Always with the outcome `own-failure`. */
  | 'proxy_internal_error'
  | 'marked_down';

/** An answer that an engine gave by itself, or a connection that it closed without one. */
export interface EngineAnswer {
  /** Undefined: the connection was closed without an answer. */
  readonly status: number | undefined;
  readonly cause: EngineAnswerCause;
  /** Text for people, as the client got it. */
  readonly text: string;
  readonly clientAddress: string;
  readonly secure: boolean;
  /** Undefined: the method was not received, or not whole. */
  readonly method: string | undefined;
  /** The target as received, perhaps incomplete. Undefined: nothing of it was received. */
  readonly path: string | undefined;
  /** The protocol of the client. Undefined: HTTP/1.1 or HTTP/1.0. */
  readonly protocol?: Exchange['protocol'];
  /** It ends an exchange, whose outcome reports it too. */
  readonly inExchange: boolean;
}

export type EngineAnswerCause =
  | 'malformed'
  | 'host'
  | 'target'
  | 'framing'
  | 'method'
  | 'expectation'
  | 'target-bytes'
  | 'header-bytes'
  | 'header-fields'
  | 'header-timeout'
  | 'body-malformed'
  | 'body-timeout'
  | 'body-bytes'
  /** Without an answer: the client closed in the middle of a request head. */
  | 'client-closed';

/** An accepted client connection as the frontend (`front/frontend.ts`) hands it over, with any TLS removed. */
export interface ClientConnection {
  /** Gives plain bytes and can be reset, with or without TLS. No byte was read that cannot be read again. */
  readonly socket: Socket;
  /** The client's IP address without the port. IPv4 addresses are in IPv4 notation. */
  readonly clientAddress: string;
  /** The client uses TLS. */
  readonly secure: boolean;
  /** The client is on the trust list, so its X-Forwarded-For, -Proto and Forwarded are believed. */
  readonly trusted: boolean;
  /** The protocol that the TLS handshake agreed on. Undefined: HTTP/1.1. */
  readonly protocol?: 'h2' | undefined;
  /** The engine calls it once when the connection is closed, if it is there. */
  readonly onClosed?: (() => void) | undefined;
}

/** Why the proxy refused an HTTP/2 stream, or closed a whole HTTP/2 connection. */
export type Http2Refusal =
  /** A request violates RFC 9113 §8 and was answered 400. */
  | 'malformed'
  /** A request head is over the limits and was answered 414 or 431. */
  | 'head-too-large'
  /** Node refused a stream before it became a request: malformed, far over the limits, or one stream too many. */
  | 'rejected'
  /** The client did not read an answer in time; its stream was reset. */
  | 'slow-reader'
  /** All others closed the connection. */
  | 'reset-flood'
  | 'continuation-flood'
  | 'settings-flood'
  | 'ping-flood'
  | 'priority-flood'
  | 'unread-replies'
  | 'invalid-frames'
  | 'protocol-error';

/** Speaks HTTP for the proxy. An engine decides nothing: it offers exchanges and does what the dispatcher decides. */
export interface Engine {
  /** The number of open client connections. */
  readonly connections: number;
  /** Takes over the connection; the engine closes it. After `close`, a new connection is closed at once. */
  take(connection: ClientConnection): void;
  /** From now on each connection is closed after its next answer, so that its client reconnects. New ones are accepted. */
  drainConnections(): void;
  /**
   * Waits at most `graceMs` for requests in flight, then closes everything. An idle connection is closed at once, or
   * with `keepIdle` after its next answer: a request that is already on its way to it is then answered.
   */
  close(graceMs: number, keepIdle?: boolean): Promise<void>;
}

/** Bounds that an engine enforces. */
export interface EngineLimits {
  readonly connectMs: number;
  readonly responseHeadMs: number;
  readonly idleBodyMs: number;
  readonly clientHeadMs: number;
  /** How long a client may keep a connection open without a request: longer than browsers and load balancers do. */
  readonly clientIdleMs: number;
  readonly headerBytesMax: number;
  readonly headerFieldsMax: number;
  /** Request bodies up to this size are kept, to be replayed on another backend. */
  readonly replayBytesMax: number;
  /** A longer request body is answered with 413; 0: no limit. */
  readonly bodyBytesMax: number;
}

/** Everything that an engine is built from. */
export interface EngineParts {
  /** Called once per request, when its head has arrived. */
  readonly onExchange: (exchange: Exchange) => void;
  readonly limits: EngineLimits;
  /** TLS settings for backends with `https:` URLs (see `buildBackendTlsOptions`). Undefined: Node's defaults. */
  readonly backendTls: BackendTls | undefined;
  /** Backends also get a `Forwarded` field (RFC 7239). */
  readonly forwarded: boolean;
  readonly onHttp2Refused?: ((reason: Http2Refusal) => void) | undefined;
  /** Which reported hops are proxies and not clients. Absent: none is. */
  readonly isTrusted?: IsTrusted;
  /** Called for each answer that the engine gives by itself, and each connection that it closes without one. */
  readonly onEngineAnswer?: ((answer: EngineAnswer) => void) | undefined;
}

export type EngineFactory = (parts: EngineParts) => Engine;

/** A request that an engine answers by itself, because it is malformed, late or too large. */
export interface RequestFlaw {
  readonly cause: EngineAnswerCause;
  readonly status: 400 | 408 | 413 | 414 | 417 | 431 | 501;
  /** Text for people, which the client gets. */
  readonly reason: string;
}

/** The status of each cause. */
export const flawStatuses = {
  malformed: 400,
  host: 400,
  target: 400,
  framing: 400,
  'body-malformed': 400,
  'header-timeout': 408,
  'body-timeout': 408,
  'body-bytes': 413,
  'target-bytes': 414,
  expectation: 417,
  'header-bytes': 431,
  'header-fields': 431,
  method: 501,
} as const satisfies Readonly<Record<Exclude<EngineAnswerCause, 'client-closed'>, RequestFlaw['status']>>;

export function buildFlaw(cause: keyof typeof flawStatuses, reason: string): RequestFlaw {
  return { cause, status: flawStatuses[cause], reason };
}

/* The flaws that engines find. */
export const malformed = buildFlaw('malformed', 'This is not well-formed HTTP/1.1.');
export const tooManyEmptyLines = buildFlaw('malformed', 'Too many empty lines before a request.');
export const badTarget = buildFlaw('target', 'This request target is not served here.');
export const badCoding = buildFlaw('framing', 'The only transfer coding that is understood is chunked.');
/** Bytes after the head would be neither body nor tunnel. */
export const bodyOnUpgrade = buildFlaw('framing', 'A request for an upgrade has no body here.');
export const unknownMethod = buildFlaw('method', 'This method is not known here.');
export const badExpectation = buildFlaw('expectation', 'The only expectation that is understood is 100-continue.');
export const longTarget = buildFlaw('target-bytes', 'The request target is too long.');
export const longHead = buildFlaw('header-bytes', 'The request head is too long.');
export const lateHead = buildFlaw('header-timeout', 'The request head did not arrive in time.');
export const malformedBody = buildFlaw('body-malformed', 'The request body is not well-formed.');
export const cutBody = buildFlaw('body-malformed', 'The request body is not complete.');
export const lateBody = buildFlaw('body-timeout', 'The request body did not arrive in time.');
export const longBody = buildFlaw('body-bytes', 'The request body is too long.');

export function buildTooManyFields(fieldsMax: number): RequestFlaw {
  return buildFlaw('header-fields', `More than ${fieldsMax} header fields.`);
}
