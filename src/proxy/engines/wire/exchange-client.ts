import type { Socket } from 'node:net';
import type { ClientConnection } from '../../exchange.js';
import { appended, cameSecure, forwardedElement } from '../../headers/forwarding.js';
import type { Timed } from './deadlines.js';
import type { RequestHead } from './request-head.js';

/** A client's connection, as the request that is served on it sees it. */
export interface ExchangeClient extends Timed {
  readonly way: ForwardedWay;
  /** Nobody is there to be answered. */
  readonly gone: boolean;
  /** It takes no more of an answer for now. */
  readonly blocked: boolean;
  /** It may send another request after this answer. */
  readonly mayStay: boolean;
  /** The field line that says so, or the contrary; empty where that goes without saying. */
  connectionLine(keep: boolean): string;
  /** Bytes may be lent (see `Reads`). */
  write(data: string | Buffer): void;
  /** In one system call. */
  writeAll(head: string, parts: readonly Buffer[]): void;
  /** The body goes to a backend from here on. */
  readBody(): void;
  /** The backend takes no more for now, or there is none. */
  pauseBody(): void;
  resumeBody(): void;
  /** The answer is whole. */
  answered(keep: boolean): void;
  /** The proxy's own answer to the request that is being served. */
  refuse(status: number, reason: string, headers: Readonly<Record<string, string>>, head: RequestHead): void;
  /** It is answered with 408. */
  bodyIsLate(): void;
  /** `head` is the last that is written here; `early` came from the backend behind its own head. See `joinTunnel`. */
  becomeTunnel(head: string, backend: Socket, early: Buffer, ended: (whole: boolean) => void): void;
  /** What was passed on already still arrives; the backend's side follows. */
  endTunnel(): void;
  destroy(): void;
  /** For an answer whose end is that of the connection: an orderly end would say that this is all. */
  reset(): void;
}

/** Where the requests of one connection come from, and what a backend is told of it. */
export class ForwardedWay {
  readonly address: string;
  readonly #secure: boolean;
  readonly #trusted: boolean;
  readonly #tellsForwarded: boolean;
  /** What a backend is told when nobody trusted is on the way, by minor version: made once for all requests. */
  readonly #lines: readonly [string, string];

  constructor({ clientAddress, secure, trusted }: Omit<ClientConnection, 'socket'>, tellsForwarded: boolean) {
    this.address = clientAddress;
    this.#secure = secure;
    this.#trusted = trusted;
    this.#tellsForwarded = tellsForwarded;
    this.#lines = [linesOf(0, clientAddress, secure), linesOf(1, clientAddress, secure)];
  }

  isSecure(head: RequestHead): boolean {
    return this.#trusted ? cameSecure(this.#secure, head.forwardedProto) : this.#secure;
  }

  /** Field lines for the backend, each with its line end. */
  linesFor(head: RequestHead): string {
    const plain = this.#lines[head.minor === 1 ? 1 : 0];
    if (!this.#trusted && !this.#tellsForwarded) return plain;
    const secure = this.isSecure(head);
    const lines = this.#trusted ? linesOf(head.minor, appended(head.forwardedFor, this.address), secure) : plain;
    if (!this.#tellsForwarded) return lines;
    const own = forwardedElement(this.address, head.host, secure);
    return `${lines}forwarded: ${appended(this.#trusted ? head.forwarded : undefined, own)}\r\n`;
  }
}

function linesOf(minor: number, forwardedFor: string, secure: boolean): string {
  return `via: 1.${minor} holdfast\r\nx-forwarded-for: ${forwardedFor}\r\nx-forwarded-proto: ${secure ? 'https' : 'http'}\r\n`;
}
