import { request as httpRequest, type IncomingMessage, type ServerResponse } from 'node:http';
import { connect } from 'node:net';
import { type Duplex, pipeline, Transform } from 'node:stream';
import {
  findKind,
  type HeaderPairs,
  isUtf8,
  makeToBrowser,
  type Origins,
  readText,
  toAppHeaders,
  toBrowserHeaders,
  toRecordedHeaders,
} from './http-messages.js';
import { bodyCharactersMax, type OpenExchange } from './recording.js';

/** A text is held back so long that the addresses in it can be replaced. After this time it is passed on as it is. */
const heldMs = 1_000;
const headerBytesMax = 64 * 1024;
/** A character has at most four bytes, compressed or not. */
const bytesMax = 4 * bodyCharactersMax;

/** Keeps the beginning of a body that passes. */
class Copy {
  #chunks: Buffer[] = [];
  #bytes = 0;

  add(chunk: Buffer): void {
    this.#bytes += chunk.length;
    if (this.fits) this.#chunks.push(chunk);
    else this.#chunks = [];
  }

  get fits(): boolean {
    return this.#bytes <= bytesMax;
  }

  /** Returns the whole body; undefined when it was too long. */
  get bytes(): Buffer | undefined {
    return this.fits ? Buffer.concat(this.#chunks) : undefined;
  }

  text(headers: HeaderPairs): string | undefined {
    return this.bytes && readText(this.bytes, headers);
  }
}

/** Passes one request of the browser to the app and its answer back. Records both when there is a slot for them. */
export function relay(request: IncomingMessage, response: ServerResponse, origins: Origins, slot?: OpenExchange): void {
  const requestHeaders = toAppHeaders(pairsOf(request.rawHeaders), origins);
  const sent = new Copy();
  const outgoing = askApp(request, requestHeaders, origins);
  const fail = (error: Error) => {
    slot?.drop();
    outgoing.destroy();
    if (response.headersSent) return void response.destroy();
    response.writeHead(502, { 'content-type': 'text/plain; charset=utf-8' });
    response.end(`holdfast record: the app did not answer (${error.message}).\n`);
  };
  outgoing.once('error', fail);
  outgoing.once('response', answer => {
    const responseHeaders = pairsOf(answer.rawHeaders);
    const status = answer.statusCode ?? 502;
    sendAnswer(answer, response, origins, got => {
      if (got === undefined || findKind(responseHeaders) === 'stream') return slot?.drop();
      slot?.complete({
        startedMs: Math.round(slot.startedMs),
        method: request.method ?? 'GET',
        path: request.url ?? '/',
        requestHeaders,
        requestBody: sent.text(requestHeaders) ?? '',
        status,
        responseHeaders: toRecordedHeaders(responseHeaders, [origins.app]),
        responseBody: got.text(responseHeaders) ?? '',
      });
    });
  });
  response.once('close', () => outgoing.destroy());
  request.on('data', (chunk: Buffer) => sent.add(chunk));
  pipeline(request, outgoing, () => undefined);
}

/** Passes an upgraded connection, such as a WebSocket, in both directions. It is not recorded. */
export function relayUpgrade(request: IncomingMessage, browser: Duplex, head: Buffer, origins: Origins): void {
  const { hostname, port } = new URL(origins.app);
  const app = connect({ host: hostname.replace(/[[\]]/g, ''), port: Number(port || 80) }, () => {
    const upgrade = ['connection: upgrade', `upgrade: ${request.headers.upgrade}`];
    const headers = toAppHeaders(pairsOf(request.rawHeaders), origins).map(([name, value]) => `${name}: ${value}`);
    app.write(`${[`${request.method} ${request.url} HTTP/1.1`, ...headers, ...upgrade].join('\r\n')}\r\n\r\n`);
    app.write(head);
    pipeline(browser, app, browser, () => undefined);
  });
  app.once('error', () => browser.destroy());
  browser.once('error', () => app.destroy());
}

function askApp(request: IncomingMessage, headers: HeaderPairs, origins: Origins) {
  const { hostname, port } = new URL(origins.app);
  return httpRequest({
    host: hostname.replace(/[[\]]/g, ''),
    port: Number(port || 80),
    method: request.method ?? 'GET',
    path: request.url ?? '/',
    headers: headers.flat(),
    agent: false,
    maxHeaderSize: headerBytesMax,
  });
}

/** Sends an answer to the browser. Calls `onEnd` with its body, or with undefined when it was cut off. */
function sendAnswer(
  answer: IncomingMessage,
  response: ServerResponse,
  origins: Origins,
  onEnd: (got: Copy | undefined) => void,
): void {
  const headers = pairsOf(answer.rawHeaders);
  const got = new Copy();
  const sendHead = (sent: HeaderPairs) => {
    response.writeHead(answer.statusCode ?? 502, answer.statusMessage, [
      ...toBrowserHeaders(sent, origins).flat(),
      ...['cache-control', 'no-store'],
    ]);
  };
  const isHeld = findKind(headers) === 'text' && isUtf8(headers);
  const body = isHeld ? holdText(answer, headers, { got, sendHead, origins }) : passOn(got, () => sendHead(headers));
  pipeline(answer, body, response, error => onEnd(error ? undefined : got));
}

function passOn(got: Copy, sendHead: () => void): Transform {
  sendHead();
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      got.add(chunk);
      done(null, chunk);
    },
  });
}

interface Held {
  readonly got: Copy;
  sendHead(headers: HeaderPairs): void;
  readonly origins: Origins;
}

/** Holds a text back until it is whole, and replaces the addresses of the app in it. A long or slow one passes as it is. */
function holdText(answer: IncomingMessage, headers: HeaderPairs, { got, sendHead, origins }: Held): Transform {
  let isHeld = true;
  const release = (text: Transform) => {
    if (!isHeld) return;
    isHeld = false;
    clearTimeout(timer);
    sendHead(headers);
    for (const chunk of waiting.splice(0)) text.push(chunk);
  };
  const waiting: Buffer[] = [];
  const body = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      got.add(chunk);
      if (isHeld) waiting.push(chunk);
      else this.push(chunk);
      if (!got.fits) release(this);
      done();
    },
    flush(done) {
      const text = isHeld ? got.text(headers) : undefined;
      const mapped = text === undefined ? undefined : makeToBrowser(origins)(text);
      if (mapped === undefined || mapped === text) release(this);
      else {
        isHeld = false;
        clearTimeout(timer);
        const bytes = Buffer.from(mapped);
        sendHead([...withoutLength(headers), ['content-length', String(bytes.length)]]);
        this.push(bytes);
      }
      done();
    },
    destroy(error, done) {
      clearTimeout(timer);
      done(error);
    },
  });
  const timer = setTimeout(() => release(body), heldMs);
  answer.once('aborted', () => clearTimeout(timer));
  return body;
}

function withoutLength(headers: HeaderPairs): HeaderPairs {
  return headers.filter(
    ([name]) => !['content-length', 'content-encoding', 'content-md5'].includes(name.toLowerCase()),
  );
}

function pairsOf(raw: readonly string[]): HeaderPairs {
  return raw.flatMap((name, index) => (index % 2 === 0 ? [[name, raw[index + 1] ?? ''] as const] : []));
}
