import type { Socket } from 'node:net';
import type { Timed } from './deadlines.js';
import type { RequestHead } from './request-head.js';
import type { Way } from './way.js';

/** A client's connection, as the request that is served on it sees it. */
export interface ExchangeClient extends Timed {
  readonly way: Way;
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
