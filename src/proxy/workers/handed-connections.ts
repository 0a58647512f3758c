/** A message of node:cluster that hands a connection to a worker. */
interface Handed {
  readonly message: object;
  readonly handle: Handle;
}

interface Handle {
  close(): void;
}

/** The process of a worker, as far as it is needed here. */
interface Channel {
  send(...words: readonly unknown[]): boolean;
  on(event: string, listener: (message: unknown) => void): unknown;
}

/**
 * Knows the connections that node:cluster has sent to a worker and that the worker has not taken yet. When the worker
 * dies, node:cluster forgets them: their clients would wait for ever, and each would cost this process a descriptor.
 * The messages are internal to Node. If a version of Node changes them, nothing is tracked, and nothing else changes.
 */
export class HandedConnections {
  readonly #handed = new Map<number, Handed>();
  readonly #process: Channel;

  constructor(process: Channel) {
    this.#process = process;
    const send = process.send.bind(process);
    process.send = (...words) => {
      const [message, handle] = words;
      const seq = readNumber(message, 'seq');
      if (seq !== undefined && isObject(message) && message.act === 'newconn' && isHandle(handle))
        this.#handed.set(seq, { message, handle });
      return send(...words);
    };
    process.on('internalMessage', (message: unknown) => this.#handed.delete(readNumber(message, 'ack') ?? -1));
  }

  /** Gives the connections that the dead worker has not taken to a worker that listens. */
  passOn(heir: HandedConnections): void {
    // No request of node:cluster has this number, so it ignores the answer.
    for (const { message, handle } of this.#takeAll())
      heir.#process.send({ ...message, seq: -1 }, handle, {}, () => handle.close());
  }

  close(): void {
    for (const { handle } of this.#takeAll()) handle.close();
  }

  #takeAll(): Handed[] {
    const all = [...this.#handed.values()];
    this.#handed.clear();
    return all;
  }
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null;
}

function isHandle(value: unknown): value is Handle {
  return isObject(value) && 'close' in value;
}

function readNumber(value: unknown, key: string): number | undefined {
  const found = isObject(value) ? value[key] : undefined;
  return typeof found === 'number' ? found : undefined;
}
