import { connect, type Socket } from 'node:net';
import { setImmediate as turn } from 'node:timers/promises';
import type { Backend } from '#src/proxy/backends.js';
import type { Engine, EngineFactory, Exchange } from '#src/proxy/exchange.js';
import { Frontend } from '#src/proxy/front/frontend.js';
import { buildTrustList } from '#src/proxy/headers.js';
import { defaultProxyOptions } from '#src/proxy/start-proxy.js';
import { backendAt, noEdits } from '../engines/with-engine.js';
import { MemorySocket } from './memory-socket.js';

/** A longer wait would never end. */
const patienceMs = 3000;
/** A longer turn of the event loop means that the machine stood still, so it does not count as waiting. */
const turnMsMax = 5;

/** A client's connection, over a network or in memory. */
export interface Line {
  write(bytes: string): void;
  readonly received: string;
  /** The engine ended it. */
  readonly over: boolean;
  /** The engine reset it. */
  readonly broken: boolean;
  close(): void;
}

/** One client and one backend on a shared engine. It runs one case after the other. */
export class Lane {
  /** Exchanges that are not over. */
  pending = 0;
  readonly address: string;
  readonly #engine: Engine;
  readonly #backend: Backend;
  #front: Frontend | undefined;
  #port = 0;

  constructor(engine: Engine, address: string, url: URL) {
    this.#engine = engine;
    this.address = address;
    this.#backend = backendAt(url, address);
  }

  /** From now on its connections are real sockets. */
  async listen(): Promise<void> {
    const { address } = this;
    const take = (connection: Parameters<Engine['take']>[0]) =>
      this.#engine.take({ ...connection, clientAddress: address });
    this.#front = new Frontend(take, { isTrusted: buildTrustList([]) });
    this.#port = (await this.#front.listen('127.0.0.1', 0)).port;
  }

  close(): void {
    this.#front?.close();
  }

  async serve(exchange: Exchange): Promise<void> {
    this.pending += 1;
    const outcome = await exchange.send(this.#backend, noEdits);
    this.pending -= 1;
    if (outcome.kind === 'refused' || outcome.kind === 'broken-off')
      exchange.refuse(502, 'no backend answered', { 'x-own': 'yes' });
  }

  async open(): Promise<Line> {
    if (this.#front !== undefined) return openSocket(this.#port);
    const socket = new MemorySocket();
    this.#engine.take({ socket, clientAddress: this.address, secure: false, trusted: false });
    return {
      write: bytes => void socket.push(Buffer.from(bytes, 'latin1')),
      get received() {
        return socket.received;
      },
      get over() {
        return socket.over;
      },
      get broken() {
        return socket.broken;
      },
      close: () => void socket.destroy(),
    };
  }
}

async function openSocket(port: number): Promise<Line> {
  const socket: Socket = connect({ port, host: '127.0.0.1', noDelay: true });
  const line = { received: '', over: false, broken: false };
  socket.on('data', bytes => {
    line.received += bytes.toString('latin1');
  });
  socket.on('error', () => {
    line.broken = true;
  });
  for (const end of ['end', 'close']) {
    socket.on(end, () => {
      line.over = true;
    });
  }
  await new Promise<void>(resolve => socket.once('connect', resolve).once('close', () => resolve()));
  return Object.assign(line, {
    write: (bytes: string) => void socket.write(bytes, 'latin1'),
    // Closes with a reset. Otherwise each case leaves a port in TIME_WAIT for a minute.
    close: () => void socket.resetAndDestroy(),
  });
}

/** Applies `read` to the received bytes, again whenever more have arrived. Callers ask once per turn. */
export function ofReceived<T>(line: Line, read: (received: string) => T): () => T {
  let length = line.received.length;
  let last = read(line.received);
  return () => {
    if (line.received.length === length) return last;
    length = line.received.length;
    last = read(line.received);
    return last;
  };
}

/** Lets pending events happen until `there` is true; false if that never happens. */
export async function until(there: () => boolean): Promise<boolean> {
  let waitedMs = 0;
  let lastMs = performance.now();
  while (!there()) {
    if (waitedMs > patienceMs) return false;
    await turn();
    const nowMs = performance.now();
    waitedMs += Math.min(nowMs - lastMs, turnMsMax);
    lastMs = nowMs;
  }
  return true;
}

/** Makes an engine; a client's address names its lane. */
export function engineFor(make: EngineFactory, lanes: ReadonlyMap<string, Lane>): Engine {
  return make({
    onExchange: exchange => void lanes.get(exchange.clientAddress)?.serve(exchange),
    // A slow machine must not look like a refused connection.
    limits: { ...defaultProxyOptions.limits, connectMs: defaultProxyOptions.limits.responseHeadMs },
    backendTls: undefined,
    forwarded: false,
  });
}
