import type { Socket } from 'node:net';
import type { ToWorker } from './messages.js';

/** The process of a worker, as far as it is needed here. */
interface Channel {
  send(message: ToWorker, socket: Socket, options: { keepOpen: true }, sent: (error: Error | null) => void): boolean;
  on(event: string, listener: (message: unknown) => void): unknown;
}

/** Node's answers to a connection: the other process has it, or has not got it. */
const answers: ReadonlySet<unknown> = new Set(['NODE_HANDLE_ACK', 'NODE_HANDLE_NACK']);

/**
 * Sends connections to a worker, and keeps a copy of each until the worker has taken it. A worker that is stopped takes
 * none; when it dies, others can have them.
 *
 * Node sends one connection at a time, and waits for the answer of the other process. That answer is internal to Node. If
 * a version of Node changes it, a copy is closed when the next connection is sent, and nothing else changes.
 */
export class HandedConnections {
  readonly #all = new Set<Socket>();
  /** It was sent, and the worker has not answered yet. */
  #sent: Socket | undefined;
  readonly #process: Channel;

  constructor(process: Channel) {
    this.#process = process;
    process.on('internalMessage', (message: unknown) => {
      if (answers.has(readCommand(message))) this.#closeSent();
    });
  }

  /** The number of connections that the worker has not taken yet. */
  get size(): number {
    return this.#all.size;
  }

  /** `onLost` gets the connection back if it cannot be sent. */
  send(socket: Socket, onLost: (socket: Socket) => void): void {
    this.#all.add(socket);
    socket.once('close', () => this.#all.delete(socket));
    this.#process.send({ kind: 'connection' }, socket, { keepOpen: true }, error => {
      if (!this.#all.has(socket)) return;
      if (error === null) return void this.#onSent(socket);
      this.#all.delete(socket);
      onLost(socket);
    });
  }

  /** Returns the connections that the worker has not taken. */
  takeBack(): readonly Socket[] {
    const sockets = [...this.#all];
    this.#all.clear();
    this.#sent = undefined;
    return sockets;
  }

  #onSent(socket: Socket): void {
    this.#closeSent();
    this.#sent = socket;
  }

  #closeSent(): void {
    const sent = this.#sent;
    this.#sent = undefined;
    if (sent === undefined) return;
    this.#all.delete(sent);
    sent.destroy();
  }
}

function readCommand(message: unknown): unknown {
  return typeof message === 'object' && message !== null && 'cmd' in message ? message.cmd : undefined;
}
