import { Agent, type IncomingHttpHeaders, type OutgoingHttpHeaders, request } from 'node:http';
import { Agent as TlsAgent, request as tlsRequest } from 'node:https';
import { connect } from 'node:net';
import { buffer, text } from 'node:stream/consumers';
import type { BackendView } from '#src/proxy/backends.js';

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly rawHeaders: readonly string[];
  readonly trailers: NodeJS.Dict<string>;
  readonly body: Buffer;
  readonly text: string;
}

export interface Asked {
  readonly method?: string;
  readonly headers?: OutgoingHttpHeaders;
  readonly body?: Buffer | string | readonly Buffer[];
  readonly agent?: Agent;
  /** The certificate authority of an `https:` URL. */
  readonly ca?: string;
}

/** Sends one request, on a new connection unless an agent is given. Rejects when the answer does not end in order. */
export function ask(
  url: string,
  path: string,
  { method = 'GET', headers = {}, body, agent, ca }: Asked = {},
): Promise<Answer> {
  const { hostname, port, protocol } = new URL(url);
  const own = agent ?? (protocol === 'https:' ? new TlsAgent({ ca }) : new Agent());
  const send = protocol === 'https:' ? tlsRequest : request;
  return new Promise<Answer>((resolve, reject) => {
    const asked = send({ host: hostname, port, path, method, headers, agent: own }, answer => {
      buffer(answer).then(body => {
        const { statusCode: status = 0, headers, rawHeaders, trailers } = answer;
        resolve({ status, headers, rawHeaders, trailers, body, text: body.toString() });
      }, reject);
    });
    asked.on('error', reject);
    for (const chunk of Array.isArray(body) ? body : []) asked.write(chunk);
    asked.end(typeof body === 'string' || Buffer.isBuffer(body) ? body : undefined);
  });
}

/** Sends these bytes; returns what comes back until the other side closes. */
export function raw(url: string, bytes: string): Promise<string> {
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname);
  socket.write(bytes, 'latin1');
  return text(socket);
}

export function cookieOf(answer: Answer): string | undefined {
  return answer.headers['set-cookie']?.find(line => line.startsWith('holdfast='))?.split(';')[0];
}

/** Returns the backends that the admin API lists. */
export async function viewsOf(adminUrl: string): Promise<readonly BackendView[]> {
  return JSON.parse((await ask(adminUrl, '/backends')).text).backends;
}
