import { once } from 'node:events';
import {
  type ClientHttp2Session,
  connect,
  constants,
  type IncomingHttpHeaders,
  type OutgoingHttpHeaders,
} from 'node:http2';
import { connect as connectPlain } from 'node:net';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import { engines } from '#src/proxy/engines/registry.js';
import type { Http2Refusal } from '#src/proxy/exchange.js';
import { makeDevCertificate } from '#src/proxy/front/tls-pair.js';
import { type EngineTest, type RunningEngine, withEngine } from '../engines/with-engine.js';
import { FrameReader, frameTypes, preface, type ReceivedFrame } from './frames.js';

export interface Http2Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly interim: readonly number[];
  readonly text: string;
  /** The error code with which the stream ended; 0: in order. */
  readonly code: number;
}

/** Sends one request with Node's client. Resolves when the stream is over, in any way. */
export function askHttp2(
  session: ClientHttp2Session,
  headers: OutgoingHttpHeaders = {},
  body?: string | Buffer,
): Promise<Http2Answer> {
  const stream = session.request({ ':path': '/', ...headers }, { endStream: body === undefined });
  let answer: IncomingHttpHeaders = {};
  let text = '';
  const interim: number[] = [];
  stream.on('headers', each => interim.push(Number(each[':status'])));
  stream.on('response', head => (answer = head));
  stream.on('data', bytes => (text += bytes));
  stream.on('error', () => {});
  if (body !== undefined) stream.end(body);
  return new Promise(resolve =>
    stream.on('close', () =>
      resolve({ status: Number(answer[':status'] ?? 0), headers: answer, interim, text, code: stream.rstCode ?? 0 }),
    ),
  );
}

/** A client of HTTP/2 that sends the bytes that it is given. */
export class FrameClient {
  readonly frames: ReceivedFrame[] = [];
  readonly closed: Promise<unknown>;
  readonly #socket: TLSSocket;
  readonly #reader = new FrameReader();
  readonly #looks = new Set<() => void>();

  constructor(socket: TLSSocket) {
    this.#socket = socket;
    this.closed = once(socket, 'close').then(() => this.#look());
    socket.on('error', () => {});
    socket.on('data', bytes => {
      this.frames.push(...this.#reader.read(bytes));
      this.#look();
    });
    this.send(preface);
  }

  send(...frames: readonly Buffer[]): void {
    if (this.#socket.writable) this.#socket.write(Buffer.concat(frames));
  }

  end(): void {
    this.#socket.end();
  }

  pause(): void {
    this.#socket.pause();
  }

  destroy(): void {
    this.#socket.destroy();
  }

  /** Resolves with the first frame that fits, received or still to come. Rejects when the connection ends before. */
  find(fits: (frame: ReceivedFrame) => boolean, what = 'the frame'): Promise<ReceivedFrame> {
    return new Promise((resolve, reject) => {
      const look = (): void => {
        const found = this.frames.find(fits);
        if (found === undefined && !this.#socket.destroyed) return;
        this.#looks.delete(look);
        if (found === undefined) reject(new Error(`the connection ended before ${what} came`));
        else resolve(found);
      };
      this.#looks.add(look);
      look();
    });
  }

  /** Resolves when so many frames of a type have come. */
  answers(type: number, count: number): Promise<void> {
    return new Promise(resolve => {
      const look = () => this.frames.filter(each => each.type === type).length >= count && resolve();
      this.#looks.add(look);
      look();
    });
  }

  /** Resolves with the error code of the stream's RST_STREAM. */
  async resetOf(stream: number): Promise<number> {
    const { payload } = await this.find(
      each => each.type === frameTypes.reset && each.stream === stream,
      `RST_STREAM of ${stream}`,
    );
    return payload.readUInt32BE(0);
  }

  /** Resolves with the error code of the last GOAWAY, when the connection is closed. */
  async goaway(): Promise<number> {
    await this.closed;
    const last = this.frames.findLast(({ type }) => type === frameTypes.goaway);
    if (last === undefined) throw new Error('closed without GOAWAY');
    return last.payload.readUInt32BE(4);
  }

  #look(): void {
    for (const look of this.#looks) look();
  }
}

export interface Http2Front extends RunningEngine {
  readonly refused: readonly Http2Refusal[];
  /** Resolves when so many refusals were counted. */
  refusals(count: number): Promise<readonly Http2Refusal[]>;
  /** Opens a connection with Node's client. */
  connect(): ClientHttp2Session;
  /** Opens a connection for raw frames. With `allowHalfOpen` it stays open when the proxy closes its side. */
  connectRaw(allowHalfOpen?: boolean): Promise<FrameClient>;
}

/** Runs engine wire behind TLS with HTTP/2, in front of these backends. Connections of the test end with it. */
export async function withHttp2(
  urls: readonly URL[],
  use: (front: Http2Front) => Promise<void>,
  options: EngineTest = {},
): Promise<void> {
  const refused: Http2Refusal[] = [];
  const looks = new Set<() => void>();
  const opened: { destroy(): void }[] = [];
  const onHttp2Refused = (reason: Http2Refusal): void => {
    refused.push(reason);
    for (const look of looks) look();
  };
  const refusals = (count: number): Promise<readonly Http2Refusal[]> =>
    new Promise(resolve => {
      const look = () => refused.length >= count && resolve(refused);
      looks.add(look);
      look();
    });
  const tls = { fallback: await makeDevCertificate(), byHost: new Map() };
  const { wire } = engines;
  if (wire === undefined) throw new Error('no engine wire');
  const test: EngineTest = { ...options, onHttp2Refused, front: { ...options.front, tls, http2: true } };
  try {
    await withEngine(
      wire.make,
      urls,
      engine =>
        use({
          ...engine,
          refused,
          refusals,
          connect: () => keep(opened, connectTo(engine.url)),
          connectRaw: async allowHalfOpen => keep(opened, await connectRawTo(engine.url, allowHalfOpen)),
        }),
      test,
    );
  } finally {
    for (const each of opened) each.destroy();
  }
}

export function connectTo(url: string): ClientHttp2Session {
  return connect(url, { rejectUnauthorized: false }).on('error', () => {});
}

async function connectRawTo(url: string, allowHalfOpen = false): Promise<FrameClient> {
  const { port } = new URL(url);
  const plain = connectPlain({ host: '127.0.0.1', port: Number(port), allowHalfOpen });
  const socket = connectTls({ socket: plain, ALPNProtocols: ['h2'], rejectUnauthorized: false });
  await once(socket, 'secureConnect');
  return new FrameClient(socket);
}

function keep<T extends { destroy(): void }>(list: { destroy(): void }[], opened: T): T {
  list.push(opened);
  return opened;
}

export const codes = constants;
