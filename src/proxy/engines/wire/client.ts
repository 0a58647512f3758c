import type { Socket } from 'node:net';
import {
  type ClientConnection,
  cutBody,
  type EngineAnswerCause,
  lateBody,
  lateHead,
  longBody,
  malformedBody,
  type RequestFlaw,
} from '../../exchange.js';
import { joinTunnel, type TunnelEnded } from '../../sockets.js';
import { buildBadRequestFields, buildOwnAnswerText } from './answer-head.js';
import { makeRequestBody, noBody, type WireBody } from './body.js';
import { firstOf, quickBytesMax, readIntoBuffer } from './connection-io.js';
import { Incoming } from './incoming.js';
import { RequestHead, readRequestLine } from './request-head.js';
import { type ExchangeClient, ForwardedWay, type Wire } from './wire.js';
import { WireExchange } from './wire-exchange.js';

/** Time for a client to close after its last answer. Closing earlier could destroy that answer. */
const lingerMs = 2_000;
/** Limit for bytes that a client sends ahead while it waits for an answer. */
const aheadBytesMax = 64 * 1024;

/**
 * One client connection: requests one after the other, each with its body and its answer.
 *
 * head -> serving (the body is read when a backend needs it) -> the rest of the body dropped -> head -> ... -> leaving
 */
export class Client implements ExchangeClient {
  readonly way: ForwardedWay;
  readonly framesAnswers = false;
  deadlineMs: number;
  readonly #wire: Wire;
  readonly #onClosed: (client: Client) => void;
  readonly #onConnectionClosed: ClientConnection['onClosed'];
  readonly #socket: Socket;
  readonly #incoming: Incoming;
  #exchange: WireExchange | undefined;
  #body: WireBody = noBody;
  #reading = false;
  #dropping = false;
  #leaving = false;
  #taking = false;
  /** Whether the time limit of the next head has started. */
  #headTimed = false;
  #tunnel = false;
  #gone = false;
  /** The client closed its side. It still gets the answers to what it has sent whole. */
  #halfClosed = false;
  #owes100 = false;
  /** The proxy's own answer is not fully written yet. */
  #refused: { readonly keep: boolean } | undefined;

  constructor(wire: Wire, connection: ClientConnection, onClosed: (client: Client) => void) {
    this.#wire = wire;
    this.#onClosed = onClosed;
    this.#onConnectionClosed = connection.onClosed;
    this.way = new ForwardedWay(connection, wire.forwarded, wire.isTrusted);
    this.#incoming = new Incoming(wire.limits);
    this.#socket = connection.socket;
    this.#read();
    this.deadlineMs = wire.deadlines.in(wire.limits.clientHeadMs);
    wire.deadlines.add(this);
    this.#socket.on('drain', () => this.#drained());
    this.#socket.on('end', () => this.#ended());
    this.#socket.on('error', () => this.#socket.destroy());
    this.#socket.on('close', () => this.#closed());
  }

  #read(): void {
    const received = (lent: Buffer, count: number) => this.#received(lent, count);
    const isLent = readIntoBuffer(this.#socket, this.#wire.reads.into(received));
    if (!isLent) this.#socket.on('data', bytes => received(bytes, bytes.length));
  }

  get gone(): boolean {
    return this.#gone || this.#leaving;
  }

  get blocked(): boolean {
    return this.#socket.writableNeedDrain;
  }

  get mayStay(): boolean {
    if (this.#halfClosed && this.#incoming.length === 0) return false;
    return !this.#wire.draining && (this.#exchange?.head.persistent ?? false) && !this.#exchange?.upgrade;
  }

  connectionLine(keep: boolean): string {
    if (!keep) return 'connection: close\r\n';
    return this.#exchange?.head.minor === 0 ? 'connection: keep-alive\r\n' : '';
  }

  write(data: string | Buffer): void {
    if (typeof data !== 'string') return void this.#wire.reads.write(this.#socket, data);
    this.#wire.writes.hold(this.#socket);
    this.#socket.write(data, 'latin1');
  }

  writeAll(head: string, parts: readonly Buffer[]): void {
    this.#socket.cork();
    if (head !== '') this.#socket.write(head, 'latin1');
    for (const part of parts) this.#wire.reads.write(this.#socket, part);
    this.#socket.uncork();
  }

  readBody(): void {
    this.#reading = true;
    if (this.#owes100 && this.#incoming.length === 0 && !this.#halfClosed) this.write('HTTP/1.1 100 Continue\r\n\r\n');
    this.#owes100 = false;
    const rest = this.#incoming.take();
    if (rest !== undefined) this.#readBody(rest);
    if (!this.#reading) return;
    if (this.#halfClosed) this.#refuseBody(cutBody);
    else this.#socket.resume();
  }

  pauseBody(): void {
    if (!this.#reading) return;
    this.#reading = false;
    this.#socket.pause();
  }

  resumeBody(): void {
    if (!this.#body.done) this.readBody();
  }

  answered(keep: boolean): void {
    // TLS needs its close_notify.
    const atOnce = this.#exchange?.head.isLast && this.#incoming.length === 0 && !this.way.secure;
    this.#exchange = undefined;
    this.#reading = false;
    if (!keep || this.#wire.closing || this.#gone) this.#leave(atOnce);
    else if (this.#body.done) this.#next();
    else this.#drop();
  }

  refuse(status: number, reason: string, headers: Readonly<Record<string, string>>, head: RequestHead): void {
    const keep = this.mayStay && headers.connection !== 'close' && !this.#owes100;
    const connection = this.connectionLine(keep);
    this.write(buildOwnAnswerText(status, reason, headers, { bodyless: head.method === 'HEAD', connection }));
    // Back-pressure for a client that keeps sending requests and reads no answers.
    if (!this.blocked) return void this.answered(keep);
    this.#refused = { keep };
    this.deadlineMs = this.#wire.deadlines.in(this.#wire.limits.idleBodyMs);
  }

  bodyIsLate(): void {
    this.#reject(lateBody, 'unknown');
  }

  becomeTunnel(head: string, backend: Socket, early: Buffer, ended: TunnelEnded): void {
    const client = this.#socket;
    this.#tunnel = true;
    this.deadlineMs = Number.POSITIVE_INFINITY;
    client.removeAllListeners('data');
    client.removeAllListeners('drain');
    client.removeAllListeners('end');
    this.write(head);
    if (early.length > 0) this.#wire.reads.write(client, early);
    const sentAhead = this.#incoming.take();
    if (sentAhead !== undefined) backend.write(sentAhead);
    joinTunnel(client, backend, this.#wire.limits.idleBodyMs, ended);
  }

  endTunnel(): void {
    if (this.#tunnel) this.#socket.destroySoon();
  }

  destroy(): void {
    this.#wire.writes.release(this.#socket);
    this.#socket.destroy();
  }

  reset(): void {
    this.#wire.writes.release(this.#socket);
    this.#socket.resetAndDestroy();
  }

  /** The engine is closing: an idle connection ends now, others after their answer. */
  closing(): void {
    if (this.#exchange === undefined && !this.#dropping) this.#leave();
  }

  late(): void {
    if (this.#isInHead) this.#reject(lateHead, 'not-sent');
    else this.destroy();
  }

  #drained(): void {
    const refused = this.#refused;
    this.#refused = undefined;
    if (refused !== undefined) this.answered(refused.keep);
    else this.#exchange?.attempt?.clientDrained();
  }

  /** Handles received bytes, which may be lent (see `Reads`). */
  #received(lent: Buffer, count: number): boolean {
    if (count <= quickBytesMax && this.#awaitsHead) {
      const text = lent.toString('latin1', 0, count);
      const end = this.#incoming.endOfHeadIn(text);
      if (end !== -1) return this.#receiveHead(text, end, lent);
    }
    const bytes = firstOf(lent, count);
    // A tunnel reads from the socket itself.
    if (this.#tunnel) return this.#socket.push(Buffer.from(bytes));
    if (this.#reading) this.#readBody(bytes);
    else if (this.#dropping) this.#dropBody(bytes);
    else if (!this.#leaving) this.#hold(bytes);
    this.#incoming.copyIfOf(bytes);
    return true;
  }

  /** Whether the next bytes begin a head. */
  get #awaitsHead(): boolean {
    return this.#exchange === undefined && this.#incoming.length === 0 && !this.#dropping && !this.#leaving;
  }

  /** Handles a head that arrived in one read, often with its whole body. `end`: where the head ends in the text. */
  #receiveHead(text: string, end: number, lent: Buffer): boolean {
    const head = this.#incoming.headIn(text, end);
    const moreBytes = text.length - end;
    const isWhole = head instanceof RequestHead && moreBytes > 0 && head.length === moreBytes && !head.chunked;
    if (isWhole) return this.#serve(head, text.slice(end));
    if (moreBytes > 0) this.#incoming.add(Buffer.from(lent.subarray(end, text.length)));
    return this.#begin(head);
  }

  #begin(head: RequestHead | RequestFlaw): boolean {
    if (head instanceof RequestHead) this.#serve(head);
    else this.#reject(head, 'not-sent');
    return true;
  }

  #hold(bytes: Buffer): void {
    this.#incoming.add(bytes);
    if (this.#exchange === undefined) this.#takeHeads();
    else if (this.#incoming.length > aheadBytesMax) this.#socket.pause();
  }

  /** Serves requests one after the other: they must not run in parallel (RFC 9112 §9.3.2). */
  #takeHeads(): void {
    if (this.#taking) return;
    this.#taking = true;
    while (this.#exchange === undefined && !this.gone && !this.#dropping) {
      const head = this.#incoming.nextHead();
      if (head === undefined) break;
      this.#begin(head);
    }
    this.#taking = false;
    if (this.#halfClosed && this.#exchange === undefined && !this.gone && !this.#dropping) return void this.#endIdle();
    // Empty lines do not begin a head, so the connection stays idle. Half of one does, but only once per head.
    if (this.#headTimed || !this.#isInHead || this.#gone) return;
    this.#headTimed = true;
    this.deadlineMs = this.#wire.deadlines.in(this.#wire.limits.clientHeadMs);
  }

  /** Whether a part of a head has arrived. */
  get #isInHead(): boolean {
    return this.#exchange === undefined && this.#incoming.length > 0 && !this.#leaving && !this.#dropping;
  }

  /** `body`: the whole body, if it arrived with the head. */
  #serve(head: RequestHead, body?: string): true {
    this.#body = body === undefined ? makeRequestBody(head, this.#wire.limits.bodyBytesMax) : noBody;
    this.#owes100 = body === undefined && head.expectsContinue && head.hasBody;
    this.deadlineMs = Number.POSITIVE_INFINITY;
    const exchange = new WireExchange(this.#wire, this, head, body);
    this.#exchange = exchange;
    this.#wire.onExchange(exchange);
    return true;
  }

  #readBody(bytes: Buffer): void {
    const out: Buffer[] = [];
    const next = this.#body.read(bytes, 0, out);
    if (next === -1) return void this.#refuseBody(this.#body.tooLong ? longBody : malformedBody);
    const { done } = this.#body;
    if (done) this.#reading = false;
    if (next < bytes.length) this.#incoming.add(bytes.subarray(next));
    this.#exchange?.upload.pass(out, done);
  }

  /** Ends the exchange because of its body. Its request may have been forwarded in part. */
  #refuseBody(flaw: RequestFlaw): void {
    const attempt = this.#exchange?.attempt;
    const begun = attempt?.begun ?? false;
    attempt?.clientGone(begun ? undefined : { status: flaw.status, text: flaw.reason });
    // A second head must not be written into the middle of an answer.
    if (begun) this.destroy();
    else this.#reject(flaw, 'unknown');
  }

  /**
   * Ends the exchange. The rest of the body is read and dropped, so that the connection can carry the next request. If
   * it has not arrived in time, the connection is closed.
   */
  #drop(): void {
    this.#dropping = true;
    this.deadlineMs = this.#wire.deadlines.in(this.#wire.limits.idleBodyMs);
    const rest = this.#incoming.take();
    this.#socket.resume();
    if (rest !== undefined) this.#dropBody(rest);
    if (this.#halfClosed && this.#dropping) this.#leave();
  }

  #dropBody(bytes: Buffer): void {
    const next = this.#body.read(bytes, 0, []);
    if (next === -1) return void this.#leave();
    if (next < bytes.length) this.#incoming.add(bytes.subarray(next));
    if (!this.#body.done) return;
    this.#dropping = false;
    if (this.#wire.closing) this.#leave();
    else this.#next();
  }

  #next(): void {
    const { deadlines, limits } = this.#wire;
    this.deadlineMs = deadlines.in(limits.clientIdleMs);
    this.#headTimed = false;
    if (this.#socket.isPaused()) this.#socket.resume();
    if (this.#incoming.length > 0) this.#takeHeads();
    else if (this.#halfClosed) this.#endIdle();
  }

  /** Answers a malformed head or body and closes: the next request's beginning is unknown. */
  #reject({ status, reason, cause }: RequestFlaw, outcome: 'not-sent' | 'unknown'): void {
    this.#report(status, cause, reason);
    this.#exchange = undefined;
    const how = { bodyless: false, connection: 'connection: close\r\n' };
    this.write(buildOwnAnswerText(status, reason, buildBadRequestFields(outcome), how));
    this.#leave();
  }

  #report(status: number | undefined, cause: EngineAnswerCause, text: string): void {
    if (this.#wire.onEngineAnswer === undefined) return;
    const { peer: clientAddress, secure } = this.way;
    const exchange = this.#exchange;
    const { method, path } = exchange ?? readRequestLine(this.#incoming.beginning);
    const inExchange = exchange !== undefined;
    this.#wire.onEngineAnswer({ status, cause, text, clientAddress, secure, method, path, inExchange });
  }

  /**
   * Closes the connection in order. The answer still arrives; further bytes from the client are ignored. `atOnce`: the
   * client sends nothing more, so both sides close at once. That saves a system call and a turn of the event loop.
   */
  #leave(atOnce = false): void {
    if (this.#leaving) return;
    this.#leaving = true;
    this.#reading = false;
    this.#incoming.clear();
    const { deadlines, limits, writes } = this.#wire;
    if (atOnce) writes.close(this.#socket);
    else this.#socket.end();
    // Unsent data would be lost with the socket, so a slow reader gets the time limit of a body.
    this.deadlineMs = deadlines.in(this.#socket.writableLength === 0 ? lingerMs : limits.idleBodyMs);
    if (!atOnce) this.#socket.resume();
  }

  /**
   * The client closed its side. A client that has closed both sides looks the same until a write fails. An answer is
   * still due if its request is whole. Bytes that wait for their turn may complete the body.
   */
  #ended(): void {
    if (this.#leaving) return;
    this.#halfClosed = true;
    const tell = this.#exchange?.onGone;
    if (this.#exchange === undefined) this.#endIdle();
    else if (tell !== undefined) {
      // Its request waits for a full backend. Most such clients have given up, and the backend has no time to waste.
      this.#exchange = undefined;
      this.#leave();
      tell();
    } else if (this.#reading) this.#refuseBody(cutBody);
  }

  /** Leaves a client that will send nothing more and waits for no answer. */
  #endIdle(): void {
    this.#reportCutHead();
    this.#leave();
  }

  #reportCutHead(): void {
    if (this.#isInHead) this.#report(undefined, 'client-closed', 'The client closed in the middle of a request head.');
  }

  #closed(): void {
    this.#reportCutHead();
    this.#gone = true;
    this.#wire.deadlines.delete(this);
    this.#onClosed(this);
    this.#onConnectionClosed?.();
    if (!this.#tunnel) this.#exchange?.attempt?.clientGone();
    this.#exchange?.onGone?.();
    this.#exchange = undefined;
  }
}
