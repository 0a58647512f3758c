import { once } from 'node:events';
import { type IncomingMessage, type RequestOptions, request } from 'node:http';
import type { BackendView } from '#src/proxy/backends.js';
import { type AdminControl, startAdmin } from '#src/proxy/control/admin.js';
import type { ProxyEvent } from '#src/proxy/options.js';

interface Sent {
  readonly body?: string;
  readonly headers?: Readonly<Record<string, string | undefined>>;
}

interface Answer {
  readonly status: number | undefined;
  readonly text: string;
  readonly json: unknown;
  readonly type: string | undefined;
  readonly allow: string | undefined;
  readonly location: string | undefined;
  readonly challenge: string | undefined;
}

interface Running {
  readonly url: URL;
  readonly pool: Pool;
  ask(method: string, path: string, sent?: Sent): Promise<Answer>;
  /** Opens the stream of events and reads its first bytes. */
  open(): Promise<{ readonly head: IncomingMessage; until(text: string): Promise<string> }>;
  close(): Promise<void>;
}

/** Starts the admin API in front of a pool of two, and always closes everything after `use`. */
export async function withAdmin(
  use: (admin: Running) => Promise<unknown>,
  { host = '127.0.0.1', token }: { readonly host?: string; readonly token?: string } = {},
): Promise<void> {
  const pool = poolOfTwo();
  const admin = await startAdmin({ host, port: 0, token }, pool);
  const url = new URL(admin.url);
  const target = { host: host === '0.0.0.0' ? '127.0.0.1' : host, port: Number(url.port) };
  const streams: IncomingMessage[] = [];
  try {
    await use({
      url,
      pool,
      ask: (method, path, sent = {}) => ask({ ...target, method, path }, sent),
      open: async () => {
        const head = await send({ ...target, path: '/events' }, {});
        streams.push(head);
        return { head, until: readUntil(head) };
      },
      close: admin.close,
    });
  } finally {
    for (const stream of streams) stream.destroy();
    await admin.close();
  }
}

async function ask(target: RequestOptions, sent: Sent): Promise<Answer> {
  const head = await send(target, sent);
  const chunks: string[] = [];
  for await (const chunk of head.setEncoding('utf8')) chunks.push(String(chunk));
  const { headers, statusCode: status } = head;
  const text = chunks.join('');
  const json: unknown = headers['content-type'] === 'application/json' ? JSON.parse(text) : undefined;
  const { allow, location, 'content-type': type, 'www-authenticate': challenge } = headers;
  return { status, text, json, type, allow, location, challenge };
}

function send(target: RequestOptions, { body, headers = {} }: Sent): Promise<IncomingMessage> {
  const given = Object.fromEntries(Object.entries(headers).filter(([, value]) => value !== undefined));
  return new Promise((resolve, reject) => {
    const call = request({ ...target, headers: given, agent: false });
    call.on('response', resolve);
    call.on('error', reject);
    call.end(body);
  });
}

function readUntil(head: IncomingMessage): (text: string) => Promise<string> {
  let seen = '';
  head.setEncoding('utf8').on('data', chunk => {
    seen += String(chunk);
  });
  return async text => {
    while (!seen.includes(text)) await once(head, 'data');
    return seen;
  };
}

export async function rejection(promise: Promise<unknown>): Promise<string> {
  const error = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (error instanceof Error) return error.message;
  throw new Error('expected a rejection with an error');
}

interface Pool extends AdminControl {
  readonly views: BackendView[];
  readonly asked: string[];
  readonly listeners: ReadonlySet<(event: ProxyEvent) => void>;
  metrics: () => Promise<string>;
  notReady: () => string | undefined;
  emit(event: ProxyEvent): void;
  listenersBecome(count: number): Promise<void>;
}

/** A control as simple as a list, because these tests are about the admin API. */
export function poolOfTwo(): Pool {
  const views = [view(1), view(2)];
  const asked: string[] = [];
  const listeners = new Set<(event: ProxyEvent) => void>();
  let changed = () => {};
  return {
    views,
    asked,
    listeners,
    notReady: () => undefined,
    refresh: () => Promise.resolve(),
    list: () => views,
    setState(name, state, windowMs) {
      if (!views.some(each => each.name === name)) return 'unknown';
      asked.push(`${name} ${state} ${windowMs}`);
      return 'done';
    },
    setWeight(name, weight) {
      if (!views.some(each => each.name === name)) return 'unknown';
      asked.push(`${name} weighs ${weight}`);
      return 'done';
    },
    add(url, weight) {
      const added = { ...view(views.length + 1), url: url.origin, weight };
      views.push(added);
      return added;
    },
    remove(name) {
      const at = views.findIndex(each => each.name === name);
      if (at === -1) return 'unknown';
      views.splice(at, 1);
      return 'done';
    },
    metrics: () => Promise.resolve('up 1\n'),
    onEvent(listener) {
      listeners.add(listener);
      return () => {
        listeners.delete(listener);
        changed();
      };
    },
    emit(event) {
      for (const listener of listeners) listener(event);
    },
    async listenersBecome(count) {
      while (listeners.size !== count) await new Promise<void>(resolve => (changed = resolve));
    },
  };
}

function view(number: number): BackendView {
  return {
    name: `backend-${number}`,
    url: `http://127.0.0.1:${3000 + number}`,
    state: 'ready',
    incarnation: `boot-${number}`,
    inFlight: 0,
    maxconn: 0,
    queued: 0,
    bound: number,
    weight: 1,
    share: 1,
    drained: false,
  };
}
