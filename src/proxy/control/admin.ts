import type { IncomingMessage, ServerResponse } from 'node:http';
import { messageOf } from '../../shared/text.js';
import { unknownName } from '../../shared/unknown-name.js';
import type { BackendView } from '../backends.js';
import type { AdminOptions, ProxyEvent } from '../options.js';
import {
  type AdminRefusal,
  type BackendChange,
  bodyBytesMax,
  makeAdminGuard,
  parseChange,
  parseNewBackend,
  readBody,
} from './admin-requests.js';
import { answerHealth, healthPaths, type Readiness } from './health-listener.js';
import { createSmallServer, listenAt, type SmallListener, type TakenSocket } from './small-server.js';

/** Everything that the admin API can ask of the proxy. `unknown`: no backend has that name. */
export interface AdminControl extends Readiness {
  /** A successor has got the state, so a later order would be lost. */
  readonly isHandingOver?: boolean;
  /** Resolves when earlier changes are in force everywhere and the counts of `list` are current. */
  refresh(): Promise<void>;
  list(): readonly BackendView[];
  setState(name: string, state: 'drain' | 'maint' | 'ready', windowMs?: number): 'done' | 'unknown';
  setWeight(name: string, weight: number): 'done' | 'unknown';
  /** `host`: that of the pool; absent: the pool of all other hosts. */
  add(url: URL, weight: number, host?: string): BackendView | 'unknown';
  remove(name: string): 'done' | 'unknown';
  metrics(): Promise<string>;
  /** Returns a function that stops listening. */
  onEvent(listener: (event: ProxyEvent) => void): () => void;
}

interface Call {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly control: AdminControl;
  readonly events: EventStream;
  /** The backend that the path names; empty when it names none. */
  readonly name: string;
}

type Action = (call: Call) => void | Promise<void>;

interface Route {
  readonly path: string;
  readonly pattern: RegExp;
  readonly methods: Readonly<Record<string, Action>>;
}

const routes: readonly Route[] = [
  { path: '/backends', pattern: /^\/backends$/, methods: { GET: listBackends, POST: addBackend } },
  { path: '/backends/<name>', pattern: /^\/backends\/([^/]+)$/, methods: { PUT: changeState, DELETE: removeBackend } },
  { path: '/metrics', pattern: /^\/metrics$/, methods: { GET: writeMetrics } },
  { path: '/events', pattern: /^\/events$/, methods: { GET: streamEvents } },
];

/**
 * Serves the admin API, with `/live` and `/ready`. Rejects when the host needs a token and none is given. Rejects with
 * the system's error when the address cannot be bound. `close` ends every connection at once, event streams too.
 * Idempotent.
 */
export async function startAdmin(
  options: AdminOptions,
  control: AdminControl,
  take?: TakenSocket,
): Promise<SmallListener> {
  const guard = makeAdminGuard(options);
  const events = new EventStream(listener => control.onEvent(listener));
  const server = createSmallServer((request, response) => {
    if (answerHealth(request, response, control)) return;
    const refusal = guard(request);
    if (refusal !== undefined) refuse(response, refusal);
    else if (control.isHandingOver === true && request.method !== 'GET') refuse(response, handingOver);
    else void handle({ request, response, control, events });
  });
  const { close, ...listener } = await listenAt(server, options, take);
  return {
    ...listener,
    close: lingerMs => {
      events.close();
      return close(lingerMs);
    },
  };
}

async function handle(call: Omit<Call, 'name'>): Promise<void> {
  const found = route(call.request);
  try {
    if (typeof found.act === 'function') await found.act({ ...call, name: found.name });
    else refuse(call.response, found.act);
  } catch (error) {
    if (call.response.headersSent || call.response.destroyed) call.response.destroy();
    else refuse(call.response, { status: 500, error: messageOf(error) });
  }
}

function route({ method = '', url = '' }: IncomingMessage): {
  readonly act: Action | AdminRefusal;
  readonly name: string;
} {
  const [path = ''] = url.split('?');
  for (const { pattern, methods } of routes) {
    const match = pattern.exec(path);
    if (match === null) continue;
    return {
      act: Object.hasOwn(methods, method) ? (methods[method] ?? unknownPath) : notAllowed(methods),
      name: decodeName(match[1]),
    };
  }
  return { act: unknownPath, name: '' };
}

const unknownPath: AdminRefusal = {
  status: 404,
  error: `unknown path. Known: ${[...routes.map(({ path }) => path), ...healthPaths].join(', ')}.`,
};

const handingOver: AdminRefusal = {
  status: 503,
  error: 'a new process is taking over; try again in a second',
  headers: { 'retry-after': '1' },
};

function notAllowed(methods: Route['methods']): AdminRefusal {
  const allow = Object.keys(methods).join(', ');
  return { status: 405, error: `expected the method ${allow.replace(', ', ' or ')}`, headers: { allow } };
}

/** Decodes a name. Invalid percent-encoding stays as it is; such a name is then unknown. */
function decodeName(name = ''): string {
  try {
    return decodeURIComponent(name);
  } catch {
    return name;
  }
}

async function listBackends({ response, control }: Call): Promise<void> {
  await control.refresh();
  answer(response, 200, { backends: control.list() });
}

async function addBackend({ request, response, control }: Call): Promise<void> {
  const body = await readBody(request);
  if (body === 'too-large') return refuse(response, tooLarge);
  const parsed = parseNewBackend(body);
  if (!parsed.ok) return refuse(response, { status: 400, error: parsed.error });
  const { url: wanted, weight, host } = parsed.value;
  const twin = control.list().find(view => view.host === host && new URL(view.url).origin === wanted.origin);
  if (twin !== undefined) return refuse(response, { status: 409, error: `${twin.name} has this url already` });
  const added = control.add(wanted, weight, host);
  if (added === 'unknown') return refuse(response, unknownHost(control, host));
  answer(response, 201, added, { location: `/backends/${encodeURIComponent(added.name)}` });
}

async function changeState({ request, response, control, name }: Call): Promise<void> {
  const body = await readBody(request);
  if (body === 'too-large') return refuse(response, tooLarge);
  const parsed = parseChange(body);
  if (!parsed.ok) return refuse(response, { status: 400, error: parsed.error });
  if (applyChange(control, name, parsed.value) === 'unknown') return refuse(response, unknownBackend(control, name));
  await control.refresh();
  answer(response, 200, control.list().find(view => view.name === name) ?? {});
}

function applyChange(
  control: AdminControl,
  name: string,
  { state, windowMs, weight }: BackendChange,
): 'done' | 'unknown' {
  if (weight !== undefined && control.setWeight(name, weight) === 'unknown') return 'unknown';
  return state === undefined ? 'done' : control.setState(name, state, windowMs);
}

async function removeBackend({ response, control, name }: Call): Promise<void> {
  if (control.remove(name) === 'unknown') return refuse(response, unknownBackend(control, name));
  await control.refresh();
  response.writeHead(204).end();
}

async function writeMetrics({ response, control }: Call): Promise<void> {
  const text = await control.metrics();
  response.writeHead(200, { 'content-type': 'text/plain; version=0.0.4; charset=utf-8' }).end(text);
}

function streamEvents({ request, response, events }: Call): void {
  if (events.open(request, response)) return;
  refuse(response, {
    status: 503,
    error: 'too many listeners; close one of them first',
    headers: { 'retry-after': '5' },
  });
}

const tooLarge: AdminRefusal = { status: 413, error: `the body is larger than ${bodyBytesMax} bytes` };

function unknownBackend(control: AdminControl, name: string): AdminRefusal {
  const known = control.list().map(view => view.name);
  return { status: 404, error: unknownName('backend', name, known) };
}

function unknownHost(control: AdminControl, host = ''): AdminRefusal {
  const known = [...new Set(control.list().flatMap(view => view.host ?? []))];
  return { status: 404, error: `${unknownName('host', host, known)} Say which in "host".` };
}

function answer(
  response: ServerResponse,
  status: number,
  body: unknown,
  headers: Readonly<Record<string, string>> = {},
) {
  const text = `${JSON.stringify(body)}\n`;
  response.writeHead(status, { 'content-type': 'application/json', 'cache-control': 'no-store', ...headers }).end(text);
}

function refuse(response: ServerResponse, { status, error, headers = {} }: AdminRefusal): void {
  answer(response, status, { error }, headers);
}

export const listenersMax = 32;
const heartbeatMs = 15_000;
/** A listener with this much unread data is disconnected; it may reconnect. */
const waitingBytesMax = 64 * 1024;

/** Server-sent events: each `ProxyEvent` goes to every listener as `event: <kind>` with one line of JSON. */
class EventStream {
  readonly #subscribe: (listener: (event: ProxyEvent) => void) => () => void;
  readonly #listeners = new Map<ServerResponse, () => void>();

  constructor(subscribe: (listener: (event: ProxyEvent) => void) => () => void) {
    this.#subscribe = subscribe;
  }

  /** Adds a listener. Returns false, and writes nothing, when there are too many. */
  open(request: IncomingMessage, response: ServerResponse): boolean {
    if (this.#listeners.size >= listenersMax) return false;
    // Without this the first event would wait for the acknowledgement of the head; events are rare.
    request.socket.setNoDelay(true);
    response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' });
    response.write(': holdfast events\n\n');
    const unsubscribe = this.#subscribe(event => this.#send(response, formatEvent(event)));
    const heartbeat = setInterval(() => this.#send(response, ':\n\n'), heartbeatMs).unref();
    this.#listeners.set(response, () => {
      clearInterval(heartbeat);
      unsubscribe();
    });
    response.on('close', () => this.#leave(response));
    return true;
  }

  close(): void {
    for (const response of [...this.#listeners.keys()]) {
      this.#leave(response);
      response.end();
    }
  }

  #send(response: ServerResponse, text: string): void {
    if (response.writableLength <= waitingBytesMax) {
      response.write(text);
      return;
    }
    this.#leave(response);
    response.destroy();
  }

  #leave(response: ServerResponse): void {
    this.#listeners.get(response)?.();
    this.#listeners.delete(response);
  }
}

function formatEvent(event: ProxyEvent): string {
  return `event: ${event.kind}\ndata: ${JSON.stringify(event)}\n\n`;
}
