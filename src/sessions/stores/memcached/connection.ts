import { connect, type Socket } from 'node:net';
import { AnswerReader, type MemcachedAnswer } from './answers.js';
import { type MemcachedQuestion, version } from './questions.js';

const retryDelayMaxMs = 500;

/** The server understood the question and says no, for example because it has no memory left. */
export class Refused extends Error {}

export interface ConnectionSettings {
  readonly host: string;
  readonly port: number;
  /** How long one answer may take, and how long opening a connection with the first answer. */
  readonly deadlineMs: number;
  readonly onUp: () => void;
  readonly onDown: (why: string) => void;
}

interface Asked {
  readonly question: MemcachedQuestion;
  readonly untilMs: number;
  readonly resolve: (answer: MemcachedAnswer) => void;
  readonly reject: (error: Error) => void;
}

/**
 * One connection to memcached that comes back by itself. Memcached answers in the order of the questions and nothing in
 * an answer says which question it is for, so whatever could shift the two against each other ends the connection:
 * a question past its deadline, an answer that cannot belong to its question, one that nobody asked for, bytes that are
 * no answer. All questions in flight then fail at once, and none is ever sent again.
 *
 * Written for this store because no client that is there does this: memcache-client 1.0 throws out of its data handler
 * at an answer that nobody asked for, logs and drops bytes that it cannot read and goes on with the same queue, and looks
 * at deadlines only every quarter of one; memjs has no `gets` and `cas`; memcached 2.2 knows idle sockets and no
 * deadlines, and strikes a server off for minutes.
 */
export class MemcachedConnection {
  readonly #settings: ConnectionSettings;
  #state: 'opening' | 'up' | 'waiting' | 'closed' = 'waiting';
  #socket: Socket | undefined;
  #asked: Asked[] = [];
  #unsent: string[] = [];
  #failures = 0;
  #retry: NodeJS.Timeout | undefined;
  #alarm: NodeJS.Timeout | undefined;

  constructor(settings: ConnectionSettings) {
    this.#settings = settings;
    this.#open();
  }

  /** Rejects at once while there is no connection, and at the deadline at the latest. */
  ask(question: MemcachedQuestion): Promise<MemcachedAnswer> {
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
    // A hung server's kernel accepts connections too, and one with too many turns them away only after that.
    this.#send(version).then(
      () => this.#wentUp(),
      error => this.#lose(socket, error),
    );
  }

  #wentUp(): void {
    if (this.#state !== 'opening') return;
    this.#state = 'up';
    this.#failures = 0;
    this.#settings.onUp();
  }

  #send(question: MemcachedQuestion): Promise<MemcachedAnswer> {
    // What is asked within one turn of the event loop leaves in one write: for a busy backend the system call is the
    // dearest part of a question.
    if (this.#unsent.push(question.text) === 1) setImmediate(() => this.#flush());
    const untilMs = performance.now() + this.#settings.deadlineMs;
    if (this.#alarm === undefined) this.#watch(untilMs);
    return new Promise((resolve, reject) => this.#asked.push({ question, untilMs, resolve, reject }));
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

  /** Throws when the answer cannot belong to the question whose turn it is. */
  #settle(answer: MemcachedAnswer): void {
    const asked = this.#asked[0];
    if (asked === undefined) throw new Error(`it said "${answer.end}" and was asked nothing`);
    const { text, expects } = asked.question;
    if (answer.end.startsWith('SERVER_ERROR ')) asked.reject(new Refused(answer.end));
    else if (!expects.test(answer.end)) throw new Error(`it answered "${answer.end}"`);
    for (const key of answer.items.keys()) {
      if (!text.includes(key)) throw new Error('it answered with an item that it was not asked for');
    }
    this.#asked.shift();
    asked.resolve(answer);
  }

  /** One timer for all that is in flight: the first in the row is the oldest. */
  #watch(untilMs: number): void {
    // Once more round the loop before judging: this process may have been the late one, and the answers lie in the socket.
    const wake = () => setImmediate(() => this.#judge());
    this.#alarm = setTimeout(wake, Math.max(untilMs - performance.now(), 1));
  }

  #judge(): void {
    this.#alarm = undefined;
    const oldest = this.#asked[0];
    if (oldest === undefined) return;
    if (oldest.untilMs > performance.now()) this.#watch(oldest.untilMs);
    else this.#lose(this.#socket, new Error(`no answer within ${this.#settings.deadlineMs} ms`));
  }

  #lose(socket: Socket | undefined, error: Error): void {
    if (socket !== this.#socket || this.#state === 'closed') return;
    this.#state = 'waiting';
    // At once the first time: a server that was restarted is mostly back.
    this.#retry = setTimeout(() => this.#open(), Math.min(this.#failures * 50, retryDelayMaxMs));
    this.#failures += 1;
    // Node joins the failures of all addresses of a name into an error without a message, but with a code.
    this.#settings.onDown(error.message === '' && 'code' in error ? String(error.code) : error.message);
    this.#failAll(error);
  }

  #failAll(error: Error): void {
    const lost = this.#asked;
    this.#asked = [];
    this.#unsent = [];
    clearTimeout(this.#alarm);
    this.#alarm = undefined;
    this.#socket?.destroy();
    this.#socket = undefined;
    for (const { reject } of lost) reject(error);
  }
}
