import { connect, type Socket } from 'node:net';
import { StoreUnavailable } from '../../errors.js';
import {
  type CallKind,
  pollUntilReady,
  type StoreSettings,
  StoreTransitions,
  withTimeout,
} from '../../session-store.js';
import { AnswerReader, type MemcachedAnswer, type MemcachedCommand, stats, version } from './protocol.js';

export interface Address {
  readonly host: string;
  readonly port: number;
}

/** The servers of a user. */
export interface Home {
  /** Has the sessions, their list, and the epoch of the user. */
  readonly first: Server;
  /** Has a copy of the epoch. Undefined if there is one server only. */
  readonly second: Server | undefined;
}

/**
 * The servers over which the users are spread. They do not know each other. The sessions of a user belong to one
 * server, also while that server is down; then their calls reject with `StoreUnavailable`.
 *
 * Failing over to another server would log users out at once, because it has none of their sessions. After the first
 * server is back, sessions that were ended or changed meanwhile would reappear as they were. libmemcached also keeps
 * the keys at a dead server by default; its alternative is to eject the server.
 */
export class Nodes {
  readonly all: readonly [Server, ...Server[]];

  constructor([first, ...others]: readonly [Address, ...Address[]], settings: StoreSettings) {
    const serverAt = (address: Address) =>
      new Server(address, others.length === 0 ? settings : nameTransitions(address, settings));
    this.all = [serverAt(first), ...others.map(serverAt)];
  }

  /**
   * Returns the servers of a user by rendezvous hashing: each server has a weight for the tag of the user. The largest
   * weight has the sessions, the second largest a copy of the epoch. A server that is appended to the address takes its
   * share from all others, and no other users move. If the first server of a user is taken out, the second is the first.
   *
   * Only the position in the address counts. A server that replaces another one at its position gets its users. Backends
   * may use different names for the same server.
   */
  homeOf(tag: string): Home {
    const [only] = this.all;
    if (this.all.length === 1) return { first: only, second: undefined };
    const bits = Buffer.from(tag.slice(0, 8), 'base64url').readUInt32BE(0);
    const weights = this.all.map((server, place) => ({ server, weight: weightOf(bits, place) }));
    const [first, second] = weights.toSorted((one, other) => other.weight - one.weight);
    return { first: first?.server ?? only, second: second?.server };
  }

  /** Returns the deadline of work that begins now. */
  untilMs(): number {
    return this.all[0].untilMs();
  }

  /** Applies the deadline to a sequence of commands. Each command could be in time, and the sequence late. */
  inTime<T>(work: (untilMs: number) => Promise<T>): Promise<T> {
    return this.all[0].inTime(work);
  }

  async ready(waitMs: number): Promise<boolean> {
    return (await Promise.all(this.all.map(server => server.ready(waitMs)))).every(Boolean);
  }

  close(): void {
    for (const server of this.all) server.close();
  }
}

/** Returns the weight of a position. The tag is uniform already; the finalizer of MurmurHash3 mixes the position into
 * it. */
function weightOf(tag: number, place: number): number {
  let bits = tag ^ Math.imul(place + 1, 0x9e3779b1);
  bits = Math.imul(bits ^ (bits >>> 16), 0x85ebca6b);
  bits = Math.imul(bits ^ (bits >>> 13), 0xc2b2ae35);
  return (bits ^ (bits >>> 16)) >>> 0;
}

function nameTransitions({ host, port }: Address, settings: StoreSettings): StoreSettings {
  return {
    ...settings,
    onTransition: ({ up, why }) => settings.onTransition?.({ up, why: `${host}:${port}: ${why}` }),
  };
}

const statisticsAgeMaxMs = 1_000;

/** Sends the commands of the store over a connection that reconnects by itself. Every failure becomes
 * `StoreUnavailable`. */
export class Server {
  readonly #deadlineMs: number;
  readonly #transitions: StoreTransitions;
  readonly #connection: MemcachedConnection;
  #statistics: { readonly atMs: number; readonly asked: Promise<MemcachedAnswer> } | undefined;

  constructor(address: { readonly host: string; readonly port: number }, { deadlineMs, onTransition }: StoreSettings) {
    const transitions = new StoreTransitions(onTransition);
    this.#deadlineMs = deadlineMs;
    this.#transitions = transitions;
    const [onUp, onDown] = [() => transitions.markUp(), (why: string) => transitions.markDown(why)];
    this.#connection = new MemcachedConnection({ ...address, deadlineMs, onUp, onDown });
  }

  /** Returns the deadline of work that begins now. */
  untilMs(): number {
    return performance.now() + this.#deadlineMs;
  }

  async ask(kind: CallKind, question: MemcachedCommand, untilMs: number): Promise<MemcachedAnswer> {
    try {
      if (performance.now() > untilMs) throw new Error(`it took more than ${this.#deadlineMs} ms`);
      const answer = await this.#connection.ask(question);
      this.#transitions.markServed(kind);
      return answer;
    } catch (error) {
      if (error instanceof Refused) this.#transitions.markRefused(kind, error.message);
      throw new StoreUnavailable('the session store does not answer', { cause: error });
    }
  }

  /** Applies the deadline to a sequence of commands. Each command could be in time, and the sequence late. */
  inTime<T>(work: (untilMs: number) => Promise<T>): Promise<T> {
    const late = () => new StoreUnavailable(`the session store took more than ${this.#deadlineMs} ms`);
    return withTimeout(this.#deadlineMs, work(this.untilMs()), late);
  }

  /** Returns the statistics of the server, at most a second old. */
  async statistics(): Promise<ReadonlyMap<string, string>> {
    const nowMs = performance.now();
    if (this.#statistics === undefined || nowMs - this.#statistics.atMs > statisticsAgeMaxMs) {
      this.#statistics = { atMs: nowMs, asked: this.ask('reads', stats, this.untilMs()) };
    }
    return (await this.#statistics.asked).statistics;
  }

  ready(waitMs: number): Promise<boolean> {
    const serves = () => this.#connection.ask(version).then(() => true);
    return pollUntilReady(waitMs, { serves, isOver: () => this.#connection.isClosed });
  }

  close(): void {
    this.#connection.close();
  }
}

const retryDelayMaxMs = 500;

/** The server understood the command and refuses it, for example because it is out of memory. */
class Refused extends Error {}

interface ConnectionSettings {
  readonly host: string;
  readonly port: number;
  /** Deadline for one reply, and for opening a connection with its first reply. */
  readonly deadlineMs: number;
  readonly onUp: () => void;
  readonly onDown: (why: string) => void;
}

interface PendingQuestion {
  readonly question: MemcachedCommand;
  readonly untilMs: number;
  readonly resolve: (answer: MemcachedAnswer) => void;
  readonly reject: (error: Error) => void;
}

/**
 * One connection to memcached, which reconnects by itself. memcached replies in the order of the commands, and a reply
 * does not name its command. So anything that could shift replies against commands closes the connection. These are: a
 * command past its deadline, a reply that cannot match its command, a reply without a command, and other bytes. Then
 * all commands in flight fail at once; none is resent.
 *
 * No existing client does this, so this store has its own. memcache-client 1.0 throws in its data handler at a reply
 * without a command. It logs and drops unreadable bytes, and continues with the same queue. It checks deadlines only
 * every quarter of one. memjs has no `gets` and `cas`. memcached 2.2 has idle time-outs but no deadlines, and removes a
 * server for minutes.
 */
class MemcachedConnection {
  readonly #settings: ConnectionSettings;
  #state: 'opening' | 'up' | 'waiting' | 'closed' = 'waiting';
  #socket: Socket | undefined;
  #pending: PendingQuestion[] = [];
  #unsent: string[] = [];
  #failures = 0;
  #retry: NodeJS.Timeout | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(settings: ConnectionSettings) {
    this.#settings = settings;
    this.#open();
  }

  /** Sends a command. Rejects at once while there is no connection, and otherwise at the deadline at the latest. */
  ask(question: MemcachedCommand): Promise<MemcachedAnswer> {
    if (this.#state === 'up') return this.#send(question);
    return Promise.reject(new Error(this.#state === 'closed' ? 'it was closed' : 'there is no connection'));
  }

  get isClosed(): boolean {
    return this.#state === 'closed';
  }

  close(): void {
    this.#state = 'closed';
    clearTimeout(this.#retry);
    this.#failAll(new Error('it was closed'));
  }

  #open(): void {
    const { host, port } = this.#settings;
    this.#state = 'opening';
    const socket = connect({ host, port, noDelay: true });
    this.#socket = socket;
    const reader = new AnswerReader();
    socket.on('data', chunk => this.#receive(socket, reader, chunk));
    socket.on('error', error => this.#lose(socket, error));
    socket.on('close', () => this.#lose(socket, new Error('the connection was closed')));
    // A connection alone proves nothing. The kernel of a hung server accepts it too, and a server with too many
    // connections accepts it and then closes it.
    this.#send(version).then(
      () => this.#markUp(),
      error => this.#lose(socket, error),
    );
  }

  #markUp(): void {
    if (this.#state !== 'opening') return;
    this.#state = 'up';
    this.#failures = 0;
    this.#settings.onUp();
  }

  #send(question: MemcachedCommand): Promise<MemcachedAnswer> {
    // Commands of one turn of the event loop leave in one write. On a busy backend, the system call is the most
    // expensive part of a command.
    if (this.#unsent.push(question.text) === 1) setImmediate(() => this.#flush());
    const untilMs = performance.now() + this.#settings.deadlineMs;
    if (this.#timer === undefined) this.#startTimer(untilMs);
    return new Promise((resolve, reject) => this.#pending.push({ question, untilMs, resolve, reject }));
  }

  #flush(): void {
    const text = this.#unsent.join('');
    this.#unsent = [];
    if (text !== '') this.#socket?.write(text);
  }

  #receive(socket: Socket, reader: AnswerReader, chunk: Buffer): void {
    if (socket !== this.#socket) return;
    try {
      for (const answer of reader.read(chunk)) this.#settle(answer);
    } catch (error) {
      this.#lose(socket, error instanceof Error ? error : new Error(String(error)));
    }
  }

  /** Settles the oldest command. Throws if the reply cannot belong to it. */
  #settle(answer: MemcachedAnswer): void {
    const pending = this.#pending[0];
    if (pending === undefined) throw new Error(`it replied "${answer.end}" without a command`);
    const { text, expects } = pending.question;
    if (answer.end.startsWith('SERVER_ERROR ')) pending.reject(new Refused(answer.end));
    else if (!expects.test(answer.end)) throw new Error(`it answered "${answer.end}"`);
    for (const key of answer.items.keys()) {
      if (!text.includes(key)) throw new Error('it replied with an item that was not requested');
    }
    this.#pending.shift();
    pending.resolve(answer);
  }

  /** Starts one timer for all commands in flight. The first one in the list is the oldest. */
  #startTimer(untilMs: number): void {
    // Waits one more turn of the event loop. This process may be the late one, with replies waiting in the socket.
    const check = () => setImmediate(() => this.#checkDeadline());
    this.#timer = setTimeout(check, Math.max(untilMs - performance.now(), 1));
  }

  #checkDeadline(): void {
    this.#timer = undefined;
    const oldest = this.#pending[0];
    if (oldest === undefined) return;
    if (oldest.untilMs > performance.now()) this.#startTimer(oldest.untilMs);
    else this.#lose(this.#socket, new Error(`no answer within ${this.#settings.deadlineMs} ms`));
  }

  #lose(socket: Socket | undefined, error: Error): void {
    if (socket !== this.#socket || this.#state === 'closed') return;
    this.#state = 'waiting';
    // The first attempt is immediate: a server that was restarted is usually available.
    this.#retry = setTimeout(() => this.#open(), Math.min(this.#failures * 50, retryDelayMaxMs));
    this.#failures += 1;
    // Node.js joins the failures of all addresses of a name into one error. It has no message, but a code.
    this.#settings.onDown(error.message === '' && 'code' in error ? String(error.code) : error.message);
    this.#failAll(error);
  }

  #failAll(error: Error): void {
    const lost = this.#pending;
    this.#pending = [];
    this.#unsent = [];
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#socket?.destroy();
    this.#socket = undefined;
    for (const { reject } of lost) reject(error);
  }
}
