import { once } from 'node:events';
import { type ClientRequest, type IncomingMessage, request } from 'node:http';
import { text } from 'node:stream/consumers';
import { applyChange } from '#src/live/changes.js';
import { type LiveServer, startLiveServer } from '#src/live/live-server.js';
import { type FailedSide, LiveSession, type StrikableSide } from '#src/live/live-session.js';
import {
  type LiveSettings,
  paths,
  type SideName,
  type SideView,
  type Snapshot,
  type StreamMessage,
  type StrikeView,
  tokenHeader,
} from '#src/live/protocol.js';
import { messageOf } from '#src/shared/text.js';
import { madeUpView } from './made-up-views.js';

/** A side without a system. A test sets its view. It records the commands that it gets. */
export class MadeUpSide implements StrikableSide {
  shown: SideView;
  readonly calls: unknown[] = [];
  onStrike: (strike: StrikeView, nowMs: number) => void = () => {};
  /** What `start` waits for. */
  starting: Promise<void> = Promise.resolve();
  problem: string | undefined;
  /** The address to which it was told to link. */
  liveLab: string | undefined;

  constructor(mode: string) {
    this.shown = madeUpView({ mode, stage: 'starting' });
  }

  show(changed: Partial<SideView>): void {
    this.shown = { ...this.shown, ...changed };
  }

  warning: () => string | undefined = () => undefined;
  view = () => this.shown;
  record = () => {
    throw new Error('a made-up side has no record');
  };
  story = () => undefined;

  async start(liveLab?: string): Promise<void> {
    this.liveLab = liveLab;
    try {
      await this.starting;
      this.show({ stage: 'running' });
    } catch (error) {
      this.show({ stage: 'failed', problem: messageOf(error) });
      throw error;
    }
  }

  judgeAll(): void {
    this.calls.push('judgeAll');
  }

  async stop(): Promise<void> {
    this.show({ stage: 'over' });
    this.calls.push('stop');
  }

  async strike(...args: readonly unknown[]): Promise<string | undefined> {
    this.calls.push(['strike', ...args]);
    return this.problem;
  }

  async heal(member: string): Promise<string | undefined> {
    this.calls.push(['heal', member]);
    return this.problem;
  }

  setUsers(count: number): void {
    this.calls.push(['setUsers', count]);
  }

  clear(): void {
    this.calls.push('clear');
    this.show({ marks: [], strikes: [] });
  }
}

export interface Answer {
  readonly status: number;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
}

export interface Asked {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

export interface Live {
  readonly session: LiveSession;
  readonly server: LiveServer;
  readonly token: string;
  /** The sides that were made, the newest last. */
  readonly made: Record<SideName, MadeUpSide[]>;
  side(name: SideName): MadeUpSide;
  /** The sides that the session reported as failed. */
  readonly failed: FailedSide[];
  /** Sends a request with the token. A header with an empty value is left out. */
  ask(path: string, asked?: Asked): Promise<Answer>;
  /** Sends a command. */
  command(command: unknown): Promise<Answer>;
  watch(lastEventId?: number): Promise<Watch>;
}

export const madeUpSettings: LiveSettings = {
  seed: 42,
  users: 64,
  usersMin: 8,
  usersMax: 400,
  modes: ['sticky', 'redis', 'jwt'],
  isReplay: false,
};
export const madeUpPage = { html: '<!doctype html><title>live</title>', contentSecurityPolicy: "default-src 'none'" };

/** Serves a session of two made-up sides. The session sends no frame by itself: a test calls `tick`. */
export async function withLive<T>(
  work: (live: Live) => Promise<T>,
  settings: Partial<LiveSettings> = {},
  prepare: (side: MadeUpSide, name: SideName) => void = () => {},
  { page = madeUpPage, now }: { readonly page?: typeof madeUpPage; readonly now?: () => number } = {},
): Promise<T> {
  const made: Live['made'] = { left: [], right: [] };
  const failed: FailedSide[] = [];
  const session = new LiveSession({
    settings: { ...madeUpSettings, ...settings },
    modes: { left: 'sticky', right: 'redis' },
    ...(now && { now }),
    onFailed: one => failed.push(one),
    makeSide(name, { mode }) {
      const side = new MadeUpSide(mode);
      prepare(side, name);
      made[name].push(side);
      return side;
    },
  });
  const exportFile = (name: string) => (name === 'scenario-right.yaml' ? undefined : ['contents', ` of ${name}`]);
  const server = await startLiveServer({ session, page, port: 0, exportFile });
  const token = server.address.split('#')[1] ?? '';
  const watches: Watch[] = [];
  const live: Live = {
    session,
    server,
    token,
    made,
    failed,
    side: name => made[name].at(-1) ?? fail(),
    ask: (path, asked) => ask(server.port, path, token, asked),
    command: command => live.ask(paths.command, { method: 'POST', body: JSON.stringify(command) }),
    async watch(lastEventId) {
      const watch = await Watch.open(server.port, token, lastEventId);
      watches.push(watch);
      return watch;
    },
  };
  try {
    return await work(live);
  } finally {
    for (const watch of watches) watch.close();
    await session.end('The test is over.', async () => []);
    await server.close();
  }
}

function fail(): never {
  throw new Error('no such side');
}

function send(port: number, path: string, token: string, { method = 'GET', headers = {} }: Asked): ClientRequest {
  const all = { host: `127.0.0.1:${port}`, [tokenHeader]: token, ...headers };
  const given = Object.fromEntries(Object.entries(all).filter(([, value]) => value !== ''));
  return request({ host: '127.0.0.1', port, path, method, headers: given, agent: false, setHost: false });
}

export async function ask(port: number, path: string, token: string, asked: Asked = {}): Promise<Answer> {
  const sent = send(port, path, token, asked);
  sent.end(asked.body);
  const [response]: IncomingMessage[] = await once(sent, 'response');
  if (response === undefined) return fail();
  return { status: response.statusCode ?? 0, headers: response.headers, body: await text(response) };
}

/** An open stream, and the state that its messages give. */
export class Watch {
  readonly messages: StreamMessage[] = [];
  state: Snapshot | undefined;
  lastId = 0;
  hasEnded = false;
  #text = '';
  #wake: () => void = () => {};

  private constructor(readonly response: IncomingMessage) {
    response.setEncoding('utf8').on('data', (chunk: string) => this.#take(chunk));
    response.on('error', () => {});
    response.on('close', () => {
      this.hasEnded = true;
      this.#wake();
    });
  }

  static async open(port: number, token: string, lastEventId?: number): Promise<Watch> {
    const sent = send(port, paths.stream, token, {
      headers: { 'last-event-id': lastEventId === undefined ? '' : String(lastEventId) },
    });
    sent.end();
    const [response]: IncomingMessage[] = await once(sent, 'response');
    if (response?.statusCode !== 200) throw new Error(`no stream: ${response?.statusCode}`);
    return new Watch(response);
  }

  /** Resolves when this holds. */
  async until(holds: () => boolean): Promise<void> {
    while (!holds()) {
      if (this.hasEnded) throw new Error(`the stream ended before ${holds}`);
      await new Promise<void>(resolve => (this.#wake = resolve));
    }
  }

  /** Resolves with the first message of this kind that is not read yet. */
  async next<Kind extends StreamMessage['kind']>(kind: Kind): Promise<Extract<StreamMessage, { kind: Kind }>> {
    const isWanted = (message: StreamMessage): message is Extract<StreamMessage, { kind: Kind }> =>
      message.kind === kind;
    await this.until(() => this.messages.some(isWanted));
    return this.messages.splice(this.messages.findIndex(isWanted), 1).find(isWanted) ?? fail();
  }

  async ended(): Promise<void> {
    while (!this.hasEnded) await new Promise<void>(resolve => (this.#wake = resolve));
  }

  close(): void {
    this.response.destroy();
  }

  #take(chunk: string): void {
    this.#text += chunk;
    const blocks = this.#text.split('\n\n');
    this.#text = blocks.pop() ?? '';
    for (const block of blocks) {
      const [, id, kind, data] = /^id: (\d+)\nevent: ([\w-]+)\ndata: (.+)$/.exec(block) ?? [];
      const message: StreamMessage = JSON.parse(data ?? 'null');
      if (message?.kind !== kind) throw new Error(`a malformed message: ${block}`);
      this.lastId = Number(id);
      this.messages.push(message);
      this.state = stateAfter(this.state, message);
    }
    this.#wake();
  }
}

function stateAfter(state: Snapshot | undefined, message: StreamMessage): Snapshot | undefined {
  if (message.kind === 'snapshot') return message;
  if (state === undefined || message.kind === 'over') return state;
  if (message.kind === 'strike') {
    const { side, nowMs, strike } = message;
    return { ...state, [side]: applyChange(state[side] ?? fail(), { nowMs, strikes: [strike] }) };
  }
  const { left, right, settings = state.settings } = message;
  return {
    ...state,
    settings,
    ...(left !== undefined && { left: applyChange(state.left, left) }),
    ...(right !== undefined && state.right !== undefined && { right: applyChange(state.right, right) }),
  };
}
