import type { Connection } from '../../exchange.js';
import { appended, cameSecure, forwardedElement } from '../../forwarding.js';
import type { RequestHead } from './request-head.js';

/** Where the requests of one connection come from, and what a backend is told of it. */
export class Way {
  readonly address: string;
  readonly #secure: boolean;
  readonly #trusted: boolean;
  readonly #tellsForwarded: boolean;
  /** What a backend is told when nobody trusted is on the way, by minor version: made once for all requests. */
  readonly #lines: readonly [string, string];

  constructor({ clientAddress, secure, trusted }: Omit<Connection, 'socket'>, tellsForwarded: boolean) {
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
