import { once } from 'node:events';
import { type IncomingMessage, request } from 'node:http';
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { parseJson } from '../../shared/parse-json.js';

export interface HttpAnswer {
  readonly status: number;
  /** Undefined when the body is no JSON. */
  readonly json: unknown;
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
}

/**
 * Sends one small request to a process of the lab. Rejects when the whole answer does not arrive within `withinMs`.
 * Each request has its own connection: a kept connection would delay the graceful shutdown of that process. It uses
 * Node's own client: undici takes 60 ms of CPU to load all that a request needs.
 */
export async function ask(
  method: 'GET' | 'PUT' | 'POST',
  url: string,
  withinMs: number,
  body?: unknown,
): Promise<HttpAnswer> {
  const signal = AbortSignal.timeout(withinMs);
  try {
    const sent = request(url, {
      method,
      agent: false,
      signal,
      ...(body !== undefined && { headers: { 'content-type': 'application/json; charset=utf-8' } }),
    });
    // The time can also end while the body arrives. Then reading it rejects.
    sent.on('error', () => undefined);
    sent.end(body === undefined ? undefined : JSON.stringify(body));
    const [response]: IncomingMessage[] = await once(sent, 'response');
    if (response === undefined) throw new Error(`${method} ${url} was not answered`);
    return { status: response.statusCode ?? 0, headers: response.headers, json: parseJson(await text(response)) };
  } catch (error) {
    throw signal.aborted ? new Error(`${method} ${url} was not answered within ${withinMs} ms`) : error;
  }
}

/** Returns whether a GET of this address is answered with 200 within the time. */
export async function answersOk(url: string, withinMs: number): Promise<boolean> {
  try {
    return (await ask('GET', url, withinMs)).status === 200;
  } catch {
    return false;
  }
}

/** Returns the status of a GET of this address; undefined when no whole answer arrives in time. */
export async function statusWithin(url: string, withinMs: number): Promise<number | undefined> {
  try {
    return (await ask('GET', url, withinMs)).status;
  } catch {
    return undefined;
  }
}

/**
 * Writes `question` to a loopback port and passes the bytes received so far to `verdict` until it returns yes or no.
 * Returns false when the time is over or the connection ends. With it, the lab needs no client for each kind of server.
 */
export function answersWith(
  port: number,
  question: string | Uint8Array,
  verdict: (answer: Buffer) => boolean | undefined,
  withinMs: number,
): Promise<boolean> {
  return new Promise(resolve => {
    const socket = connect({ host: '127.0.0.1', port }, () => socket.write(question));
    const timer = setTimeout(() => settle(false), withinMs);
    let answer: Buffer = Buffer.alloc(0);
    socket.on('data', chunk => {
      answer = Buffer.concat([answer, chunk]);
      settle(verdict(answer));
    });
    socket.once('error', () => settle(false));
    socket.once('close', () => settle(false));
    function settle(answered: boolean | undefined): void {
      if (answered === undefined) return;
      clearTimeout(timer);
      socket.destroy();
      resolve(answered);
    }
  });
}
