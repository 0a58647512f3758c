import type { Socket } from 'node:net';
import type { ClientConnection, EngineAnswer, EngineLimits, Exchange, Http2Refusal } from '../../exchange.js';
import {
  appendEntry,
  buildForwardedElement,
  deriveClientAddress,
  type IsTrusted,
  isClientSecure,
  trustNone,
} from '../../headers.js';
import type { TunnelEnded } from '../../sockets.js';
import type { Deadlines, Reads, Timed, Writes } from './connection-io.js';
import type { RequestHead } from './request-head.js';
import type { Upstreams } from './upstream.js';

/* What an exchange works with: its engine (`Wire`), the connection of its client, and the way of that connection. */

/** Shared parts of one engine's connections. */
export interface Wire {
  readonly onExchange: (exchange: Exchange) => void;
  readonly onEngineAnswer: ((answer: EngineAnswer) => void) | undefined;
  readonly limits: EngineLimits;
  /** Backends also get a `Forwarded` field. */
  readonly forwarded: boolean;
  /** See `EngineParts`. */
  readonly isTrusted: IsTrusted | undefined;
  readonly deadlines: Deadlines;
  readonly upstreams: Upstreams;
  readonly reads: Reads;
  readonly writes: Writes;
  readonly onHttp2Refused: (reason: Http2Refusal) => void;
  /** Each connection is closed after its next answer (see `Engine.drainConnections`). */
  readonly draining: boolean;
  /** The engine is closing: a connection without a request ends. */
  readonly closing: boolean;
}

/** A client's connection, as the request served on it sees it. */
export interface ExchangeClient extends Timed {
  readonly way: ForwardedWay;
  /** The client's protocol marks the end of an answer by itself (HTTP/2), so bodies are written without chunks. */
  readonly framesAnswers: boolean;
  /** The client has disconnected or is leaving. */
  readonly gone: boolean;
  /** Back-pressure: the client takes no more of an answer for now. */
  readonly blocked: boolean;
  /** The client may send another request after this answer. */
  readonly mayStay: boolean;
  /** Returns the Connection line that keeps or closes the connection; empty where the default is right. */
  connectionLine(keep: boolean): string;
  /** Bytes may be lent (see `Reads`). */
  write(data: string | Buffer): void;
  /** Writes all in one system call. */
  writeAll(head: string, parts: readonly Buffer[]): void;
  /** Starts reading the body for a backend. */
  readBody(): void;
  /** Stops reading the body: the backend takes no more for now, or there is none. */
  pauseBody(): void;
  resumeBody(): void;
  /** Called when the answer is complete. */
  answered(keep: boolean): void;
  /** Sends the proxy's own answer to the current request. */
  refuse(status: number, reason: string, headers: Readonly<Record<string, string>>, head: RequestHead): void;
  /** Answers 408: the body did not arrive in time. */
  bodyIsLate(): void;
  /** Becomes a tunnel after writing `head`. `early`: bytes from the backend after its head. See `joinTunnel`. */
  becomeTunnel(head: string, backend: Socket, early: Buffer, ended: TunnelEnded): void;
  /** Closes the client's side after the bytes already written; the backend's side follows. */
  endTunnel(): void;
  destroy(): void;
  /** Resets an answer that ends with the connection: an orderly close would make it look complete. */
  reset(): void;
}

/** The origin of a connection's requests, and the fields that report it to a backend. */
export class ForwardedWay {
  readonly protocol: ClientConnection['protocol'];
  /** The address of the other end of the connection. */
  readonly peer: string;
  readonly #isTrusted: IsTrusted;
  /** The connection to this proxy uses TLS. */
  readonly secure: boolean;
  readonly #trusted: boolean;
  readonly #tellsForwarded: boolean;
  /** Lines for requests without a trusted peer, by minor version. Built once per connection, when they are needed. */
  readonly #lines: [string | undefined, string | undefined] = [undefined, undefined];

  constructor(
    { clientAddress, secure, trusted, protocol }: Omit<ClientConnection, 'socket'>,
    tellsForwarded: boolean,
    isTrusted: IsTrusted = trustNone,
  ) {
    this.peer = clientAddress;
    this.#isTrusted = isTrusted;
    this.protocol = protocol;
    this.secure = secure;
    this.#trusted = trusted;
    this.#tellsForwarded = tellsForwarded;
  }

  isSecure(head: RequestHead): boolean {
    return this.#trusted ? isClientSecure(this.secure, head.forwardedProto) : this.secure;
  }

  addressOf(head: RequestHead): string {
    return this.#trusted ? deriveClientAddress(this.peer, head, this.#isTrusted) : this.peer;
  }

  /** Builds the field lines for the backend, each with its line end. */
  linesFor(head: RequestHead): string {
    if (!this.#trusted && !this.#tellsForwarded) return this.#buildPlainLines(head.minor);
    const secure = this.isSecure(head);
    const lines = this.#trusted
      ? this.#buildLines(head.minor, appendEntry(head.forwardedFor, this.peer), this.addressOf(head), secure)
      : this.#buildPlainLines(head.minor);
    if (!this.#tellsForwarded) return lines;
    const own = buildForwardedElement(this.peer, head.host, secure);
    return `${lines}forwarded: ${appendEntry(this.#trusted ? head.forwarded : undefined, own)}\r\n`;
  }

  #buildPlainLines(minor: number): string {
    const at = minor === 1 ? 1 : 0;
    const lines = this.#lines[at] ?? this.#buildLines(at, this.peer, this.peer, this.secure);
    this.#lines[at] = lines;
    return lines;
  }

  #buildLines(minor: number, forwardedFor: string, clientAddress: string, secure: boolean): string {
    const version = this.protocol === 'h2' ? '2.0' : `1.${minor}`;
    const addresses = `x-forwarded-for: ${forwardedFor}\r\nx-real-ip: ${clientAddress}\r\n`;
    return `via: ${version} holdfast\r\n${addresses}x-forwarded-proto: ${secure ? 'https' : 'http'}\r\n`;
  }
}
