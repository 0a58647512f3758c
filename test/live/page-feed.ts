import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { noCounts as noUserCounts } from '#src/live/live-user.js';
import { livePage } from '#src/live/page-file.js';
import {
  type Command,
  type CommandReply,
  type CountsView,
  type Frame,
  type LiveSettings,
  paths,
  type SideView,
  type Snapshot,
  type StoryReply,
  type StreamMessage,
  tokenHeader,
  type UserStateName,
  type UserView,
} from '#src/live/protocol.js';

/**
 * Serves the page of the live lab, and speaks the protocol of the live server with messages that a test decides. No
 * process is started behind it.
 */
export class PageFeed {
  readonly token = 'the-token-of-this-feed';
  readonly commands: Command[] = [];
  /** The header `Last-Event-ID` of each connection of a page. */
  readonly connections: (string | undefined)[] = [];
  snapshot: Snapshot;
  /** Messages that a page misses when it comes back with this `Last-Event-ID`. */
  missed: readonly StreamMessage[] | undefined;
  reply: (command: Command) => CommandReply = () => ({ problems: [] });
  story: StoryReply | undefined;
  isDown = false;
  readonly #server: Server = createServer((request, response) => void this.#answer(request, response));
  readonly #streams = new Set<ServerResponse>();
  #lastId = 0;

  constructor(snapshot: Snapshot) {
    this.snapshot = snapshot;
  }

  async start(): Promise<void> {
    this.#server.listen(0, '127.0.0.1');
    await once(this.#server, 'listening');
  }

  get origin(): string {
    const address = this.#server.address();
    return `http://127.0.0.1:${typeof address === 'object' ? address?.port : ''}`;
  }

  get url(): string {
    return `${this.origin}/#${this.token}`;
  }

  push(message: StreamMessage): void {
    this.#lastId += 1;
    for (const stream of this.#streams) this.#write(stream, message);
  }

  /** Cuts all streams, as a broken network does. */
  cut(): void {
    for (const stream of this.#streams) stream.destroy();
    this.#streams.clear();
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, 'close');
  }

  #write(stream: ServerResponse, message: StreamMessage): void {
    stream.write(`id: ${this.#lastId}\ndata: ${JSON.stringify(message)}\n\n`);
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (this.isDown) return void response.destroy();
    const { pathname } = new URL(request.url ?? '/', this.origin);
    if (pathname === paths.page) {
      const { html, contentSecurityPolicy } = livePage();
      response.setHeader('content-type', 'text/html; charset=utf-8');
      return void response.setHeader('content-security-policy', contentSecurityPolicy).end(html);
    }
    if (request.headers[tokenHeader] !== this.token) return void response.writeHead(403).end('wrong token');
    if (pathname === paths.stream) return this.#openStream(request, response);
    if (pathname === paths.command) return this.#takeCommand(request, response);
    if (pathname === paths.story) return void response.end(JSON.stringify(this.story));
    if (pathname.startsWith(paths.export)) return void response.end(`the text of ${pathname}`);
    response.writeHead(404).end('not found');
  }

  #openStream(request: IncomingMessage, response: ServerResponse): void {
    const last = request.headers['last-event-id'];
    this.connections.push(typeof last === 'string' ? last : undefined);
    response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' });
    const messages = last === undefined ? undefined : this.missed;
    for (const message of messages ?? [this.snapshot]) this.#write(response, message);
    this.#streams.add(response);
    response.on('close', () => this.#streams.delete(response));
  }

  async #takeCommand(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk);
    const command: Command = JSON.parse(Buffer.concat(chunks).toString());
    this.commands.push(command);
    response.setHeader('content-type', 'application/json').end(JSON.stringify(this.reply(command)));
  }
}

export const settings: LiveSettings = {
  seed: 42,
  users: 12,
  usersMin: 8,
  usersMax: 400,
  modes: ['sticky', 'redis', 'jwt'],
  isReplay: false,
};

export const noCounts: CountsView = { ...noUserCounts, exposed: null, p99Ms: 12 };

const backends = ['backend-1', 'backend-2', 'backend-3'];

/** Makes users who are evenly spread over three backends. */
export function usersIn(state: UserStateName, count: number): UserView[] {
  return Array.from({ length: count }, (_, index) => ({
    name: `user-${index + 1}`,
    state,
    member: backends[index % backends.length] ?? null,
  }));
}

/** Yields frames in which 40 users of each side change their state and their backend. */
export function* framesOf(users: readonly UserView[], count: number): Generator<Frame> {
  for (let frame = 1; frame <= count; frame += 1) {
    const moved = users.slice((frame * 8) % users.length).slice(0, 40);
    const changed = moved.map((user, index) => ({
      ...user,
      state: frame % 2 === 0 ? ('in' as const) : ('logged-out' as const),
      member: `backend-${((index + frame) % 3) + 1}`,
    }));
    const change = { nowMs: 30_000 + frame * 100, users: changed };
    yield { kind: 'frame', left: change, right: change };
  }
}

const option = { name: 'latency', required: true, example: '200ms', type: 'text' } as const;
const jitter = { name: 'jitter', required: false, example: '50ms', type: 'text' } as const;
const plain = (...names: string[]) => names.map(name => ({ name, summary: `${name} it`, options: [] }));

/** Makes the view of a running side with twelve users, a proxy and three backends. */
export function sideView(mode: string, own: Partial<SideView> = {}): SideView {
  const stores = mode === 'sticky' ? [] : ['redis'];
  return {
    mode,
    stage: 'running',
    nowMs: 30_000,
    shopPort: 4001,
    users: usersIn('in', settings.users),
    members: [
      { name: 'proxy', role: 'proxy', state: 'up', sinceMs: 0 },
      ...backends.map(
        name => ({ name, role: 'backend', state: 'up', sinceMs: 0, ...(mode === 'sticky' && { bound: 4 }) }) as const,
      ),
      ...stores.map(name => ({ name, role: 'store', state: 'up', sinceMs: 0 }) as const),
    ],
    counts: { ...noCounts, acknowledged: 100 },
    strikes: [],
    bins: Array.from({ length: 30 }, (_, index) => ({
      atMs: index * 1000,
      ok: 10 + (index % 4),
      failed: 0,
      unknown: 0,
      p50Ms: 3,
      p99Ms: 12,
    })),
    marks: [],
    offers: [
      { target: 'proxy', member: 'proxy', faults: plain('kill', 'hang') },
      ...backends.flatMap(name => [
        { target: name, member: name, faults: plain('kill', 'hang', 'drain', 'flap') },
        {
          target: `proxy->${name}`,
          member: name,
          faults: [
            { name: 'slow', summary: 'a link delays all bytes', options: [option, jitter] },
            ...plain('cut-link'),
          ],
        },
      ]),
      ...stores.map(name => ({ target: name, member: name, faults: plain('kill', 'hang', 'pause') })),
    ],
    ...own,
  };
}
