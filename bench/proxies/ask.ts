import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { connect as connectSecure } from 'node:tls';
import type { Request } from './requests.js';

export interface Answer {
  readonly status: number;
  readonly head: string;
  readonly body: string;
  /** Length of head and body. */
  readonly bytes: number;
}

const headEnd = '\r\n\r\n';

/** Builds the same bytes that the load generator sends. */
export function textOf({ host }: URL, { method, path, headers, body }: Request, cookie: string): string {
  const fields = { host, ...headers, ...(cookie === '' ? {} : { cookie }) };
  const length = body === undefined ? [] : [['content-length', String(Buffer.byteLength(body))]];
  const lines = [...Object.entries(fields), ...length].map(([name, value]) => `${name}: ${value}\r\n`);
  return `${method} ${path} HTTP/1.1\r\n${lines.join('')}\r\n${body ?? ''}`;
}

export async function open({ protocol, port }: URL): Promise<Socket> {
  const to = { port: Number(port), host: '127.0.0.1' };
  const socket = protocol === 'https:' ? connectSecure({ ...to, rejectUnauthorized: false }) : connect(to);
  await once(socket, protocol === 'https:' ? 'secureConnect' : 'connect');
  return socket;
}

/** Rejects when the connection ends before the answer, and for an answer without a length. */
export function exchange(socket: Socket, request: string): Promise<Answer> {
  return new Promise((resolve, reject) => {
    let received = '';
    const settle = (how: () => void): void => {
      socket.off('data', take).off('error', reject).off('close', ended);
      how();
    };
    const ended = (): void => settle(() => reject(new Error(`the connection ended after ${received.length} bytes`)));
    const take = (chunk: Buffer): void => {
      received += chunk.toString('latin1');
      const answer = read(received);
      if (answer === undefined) return;
      settle(() => (answer instanceof Error ? reject(answer) : resolve(answer)));
    };
    socket.on('data', take).on('error', reject).on('close', ended);
    socket.write(request);
  });
}

/** Reads a complete answer from the start of the received bytes. */
function read(received: string): Answer | Error | undefined {
  const end = received.indexOf(headEnd);
  if (end === -1) return undefined;
  const head = received.slice(0, end);
  const length = /\r\ncontent-length: *(\d+)/i.exec(head)?.[1];
  if (length === undefined) return new Error(`an answer without Content-Length: ${head}`);
  const bytes = end + headEnd.length + Number(length);
  if (received.length < bytes) return undefined;
  return { status: Number(head.split(' ', 2)[1]), head, body: received.slice(end + headEnd.length, bytes), bytes };
}

/** Sends one request on a new connection. */
export async function ask(origin: URL, request: Request, cookie = ''): Promise<Answer> {
  const socket = await open(origin);
  try {
    return await exchange(socket, textOf(origin, request, cookie));
  } finally {
    socket.destroy();
  }
}

/** Builds the Cookie header of a browser that got this answer. */
export function cookieFrom({ head }: Answer): string {
  return [...head.matchAll(/\r\nset-cookie: *([^;\r]*)/gi)].map(([, pair]) => pair).join('; ');
}
