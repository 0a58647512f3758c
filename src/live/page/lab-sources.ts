import { messageOf } from '../../shared/text.js';
import {
  type Command,
  type CommandReply,
  type LabRecording,
  paths,
  type RecordedMessage,
  type SideName,
  type Snapshot,
  type StoryReply,
  type StreamMessage,
  tokenHeader,
} from '../protocol.js';
import { sidesAfter } from './lab-state.js';

/** The lab behind the page: one that a server runs (`LabClient`), or a recording (`RecordedLab`). */
export interface LabSource {
  /** Prepares the messages. `run` begins to send them, and resolves when no further message can come. */
  connect(to: StreamReceiver): LabConnection;
  /** Sends a command. Resolves with the reasons why it was not carried out; empty when it was. */
  send(command: Command): Promise<CommandReply['problems']>;
  story(side: SideName, user: string): Promise<StoryReply>;
  /** Saves a file of the lab. Absent: there is no file. */
  save?(name: string): Promise<void>;
  /** Pauses what is shown, or goes on. Absent: the page can pause its view only. */
  togglePause?(): void;
}

export interface LabConnection {
  /** Resolves when the lab has ended, or refuses the token. */
  run(): Promise<void>;
  /** Ends the present pause between two attempts. */
  retryNow(): void;
}

interface StreamReceiver {
  message(message: StreamMessage): void;
  /** `problem` says why the last attempt failed. */
  connection(state: ConnectionState, problem?: string): void;
}

/** The state of the connection to the live lab. `refused`: the token belongs to another run. `ended`: by the lab. */
export type ConnectionState = 'connecting' | 'open' | 'waiting' | 'refused' | 'ended';

const firstPauseMs = 250;
const pauseMsMax = 4_000;
/** The server sends at least one message a second. A longer silence means a dead connection, or a sleeping machine. */
const silenceMsMax = 10_000;

type Problems = CommandReply['problems'];

/** The lab that serves this page. Every request carries the token of the address. */
export class LabClient implements LabSource {
  readonly #token: string;

  constructor(token: string) {
    this.#token = token;
  }

  connect(to: StreamReceiver): LabConnection {
    return new LiveStream(this.#token, to);
  }

  /** Resolves with the reasons why the command was not carried out, for example that the lab does not answer. */
  async send(command: Command): Promise<Problems> {
    try {
      const response = await this.#fetch(paths.command, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(command),
      });
      const { problems }: CommandReply = await response.json();
      return problems;
    } catch (error) {
      return [{ problem: messageOf(error) }];
    }
  }

  async story(side: SideName, user: string): Promise<StoryReply> {
    const query = new URLSearchParams({ side, user });
    return (await this.#fetch(`${paths.story}?${query}`)).json();
  }

  /** Downloads one exported file. */
  async save(name: string): Promise<void> {
    const file = await (await this.#fetch(paths.export + name)).blob();
    const link = document.createElement('a');
    link.href = URL.createObjectURL(file);
    link.download = name;
    link.click();
    URL.revokeObjectURL(link.href);
  }

  async #fetch(path: string, options: RequestInit = {}): Promise<Response> {
    const headers = { ...options.headers, [tokenHeader]: this.#token };
    const response = await fetch(path, { ...options, headers, cache: 'no-store' }).catch(() => {
      throw new Error('The live lab does not answer. Look at the terminal in which it runs.');
    });
    if (!response.ok) throw new Error((await response.text()) || `The live lab answered with ${response.status}.`);
    return response;
  }
}

/**
 * Reads the events of the live lab. `EventSource` cannot send the token in a header, so this is a reader on `fetch`. It
 * reconnects by itself with `Last-Event-ID`, and waits longer after each failure.
 */
class LiveStream implements LabConnection {
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

interface ServerEvent {
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

const playEveryMs = 50;

/** A recording that plays in this page by the clock of this page. It needs no server. */
export class RecordedLab implements LabSource {
  /** Called when the time, or whether it plays, has changed. */
  onChange: () => void = () => {};
  readonly #recording: LabRecording;
  readonly #clock: () => number;
  #to: StreamReceiver | undefined;
  /** The first message that was not sent. */
  #next = 0;
  #atMs = 0;
  #clockMs = 0;
  #speed = 1;
  #timer: ReturnType<typeof setInterval> | undefined;

  /** `clock`: a clock in milliseconds. */
  constructor(recording: LabRecording, clock: () => number = () => performance.now()) {
    this.#recording = recording;
    this.#clock = clock;
  }

  /** The time of the run, in milliseconds since its start. */
  get atMs(): number {
    return this.#atMs;
  }

  get isPlaying(): boolean {
    return this.#timer !== undefined;
  }

  get isAtEnd(): boolean {
    return this.#atMs >= this.#recording.endMs;
  }

  connect(to: StreamReceiver): LabConnection {
    this.#to = to;
    return {
      run: async () => {
        to.connection('open');
        this.seek(0);
      },
      retryNow: () => {},
    };
  }

  /** Plays on. At the end it begins again. */
  play(): void {
    if (this.isAtEnd) this.seek(0);
    this.#clockMs = this.#clock();
    this.#timer ??= setInterval(() => this.step(), playEveryMs);
    this.onChange();
  }

  pause(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
    this.onChange();
  }

  togglePause(): void {
    if (this.isPlaying) this.pause();
    else this.play();
  }

  /** 1: as fast as the run was. 0.5: half as fast. */
  setSpeed(speed: number): void {
    if (this.isPlaying) this.step();
    this.#speed = speed;
  }

  /** Sends what has happened since the last step. */
  step(): void {
    const clockMs = this.#clock();
    this.#atMs = Math.min(this.#recording.endMs, this.#atMs + (clockMs - this.#clockMs) * this.#speed);
    this.#clockMs = clockMs;
    for (const { message } of this.#takeDue()) this.#to?.message(message);
    if (this.isAtEnd) this.pause();
    else this.onChange();
  }

  /** Shows the state at this time. */
  seek(atMs: number): void {
    this.#clockMs = this.#clock();
    this.#atMs = Math.min(this.#recording.endMs, Math.max(0, atMs));
    this.#next = 0;
    const { snapshot } = this.#recording;
    const { left, right } = this.#takeDue().reduce(
      (sides, { message }) => sidesAfter(sides, message),
      sidesAfter({}, snapshot),
    );
    const now: Snapshot = { ...snapshot, left: left?.view ?? snapshot.left, ...(right && { right: right.view }) };
    this.#to?.message(now);
    this.onChange();
  }

  async send(): Promise<CommandReply['problems']> {
    return [{ problem: 'This is a recording: nothing can be changed.' }];
  }

  async story(side: SideName, user: string): Promise<StoryReply> {
    const story = this.#recording.stories[side]?.[user];
    if (story === undefined) throw new Error(`The recording of the ${side} side has no user ${user}.`);
    return story;
  }

  #takeDue(): readonly RecordedMessage[] {
    const { messages } = this.#recording;
    const after = messages.findIndex(({ atMs }, index) => index >= this.#next && atMs > this.#atMs);
    const due = messages.slice(this.#next, after < 0 ? messages.length : after);
    this.#next += due.length;
    return due;
  }
}
