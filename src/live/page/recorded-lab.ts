import type { CommandReply, LabRecording, RecordedMessage, SideName, Snapshot, StoryReply } from '../protocol.js';
import type { LabConnection, LabSource, StreamReceiver } from './lab-page.js';
import { sidesAfter } from './lab-state.js';

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
