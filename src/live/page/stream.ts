import { paths, type StreamMessage, tokenHeader } from '../protocol.js';

/** The state of the connection to the live lab. `refused`: the token belongs to another run. `ended`: by the lab. */
export type ConnectionState = 'connecting' | 'open' | 'waiting' | 'refused' | 'ended';

export interface StreamReceiver {
  message(message: StreamMessage): void;
  /** `problem` says why the last attempt failed. */
  connection(state: ConnectionState, problem?: string): void;
}

const firstPauseMs = 250;
const pauseMsMax = 4_000;
/** The server sends at least one message a second. A longer silence means a dead connection, or a sleeping machine. */
const silenceMsMax = 10_000;

/**
 * Reads the events of the live lab. `EventSource` cannot send the token in a header, so this is a reader on `fetch`. It
 * reconnects by itself with `Last-Event-ID`, and waits longer after each failure.
 */
export class LiveStream {
  readonly #token: string;
  readonly #to: StreamReceiver;
  #lastId = '';
  #isOver = false;
  #pauseMs = firstPauseMs;
  #stopWaiting: () => void = () => {};

  constructor(token: string, to: StreamReceiver) {
    this.#token = token;
    this.#to = to;
  }

  /** Reads until the lab has ended or refuses the token. */
  async run(): Promise<void> {
    for (;;) {
      this.#to.connection('connecting');
      const problem = await this.#readOnce().catch((error: unknown) => String(error));
      if (this.#isOver) return this.#to.connection('ended');
      if (problem === 'refused' || problem === 'ended') return this.#to.connection(problem);
      this.#to.connection('waiting', problem);
      await this.#wait();
    }
  }

  /** Ends the present pause between two attempts. */
  retryNow(): void {
    this.#pauseMs = firstPauseMs;
    this.#stopWaiting();
  }

  #wait(): Promise<void> {
    const pauseMs = this.#pauseMs;
    this.#pauseMs = Math.min(pauseMsMax, pauseMs * 2);
    return new Promise(resolve => {
      const timer = setTimeout(resolve, pauseMs);
      this.#stopWaiting = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  /** Returns why the stream ended. */
  async #readOnce(): Promise<string> {
    const silence = new AbortController();
    let timer = setTimeout(() => silence.abort(), silenceMsMax);
    try {
      const response = await fetch(paths.stream, {
        headers: { [tokenHeader]: this.#token, ...(this.#lastId && { 'last-event-id': this.#lastId }) },
        cache: 'no-store',
        signal: silence.signal,
      });
      if (response.status === 403) return 'refused';
      if (!response.ok || response.body === null) return (await response.text()) || `status ${response.status}`;
      this.#to.connection('open');
      const parse = parseEvents();
      const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
      for (;;) {
        const { done, value } = await reader.read();
        if (done) return 'The connection ended.';
        clearTimeout(timer);
        timer = setTimeout(() => silence.abort(), silenceMsMax);
        for (const { id, data } of parse(value)) {
          const message: StreamMessage = JSON.parse(data);
          this.#pauseMs = firstPauseMs;
          this.#to.message(message);
          this.#lastId = id ?? this.#lastId;
          this.#isOver ||= message.kind === 'over';
          if (message.kind === 'over' && !message.isWriting) return 'ended';
        }
      }
    } finally {
      clearTimeout(timer);
      silence.abort();
    }
  }
}

export interface ServerEvent {
  readonly id?: string;
  readonly data: string;
}

/** Returns a parser of server-sent events. It takes the text in pieces and returns the events that are complete. */
export function parseEvents(): (piece: string) => ServerEvent[] {
  let rest = '';
  return piece => {
    const blocks = (rest + piece).split('\n\n');
    rest = blocks.pop() ?? '';
    return blocks.map(parseEvent).filter(({ data }) => data !== '');
  };
}

function parseEvent(block: string): ServerEvent {
  const fields = block.split('\n').map(line => /^(\w*): ?(.*)$/.exec(line) ?? []);
  const valuesOf = (wanted: string) => fields.flatMap(([, name, value]) => (name === wanted ? [value ?? ''] : []));
  const id = valuesOf('id').at(-1);
  return { data: valuesOf('data').join('\n'), ...(id !== undefined && { id }) };
}
