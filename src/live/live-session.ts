import { setImmediate } from 'node:timers/promises';
import { messageOf } from '../shared/text.js';
import { unknownName } from '../shared/unknown-name.js';
import type { ListedRun } from '../simulator/history/records.js';
import { applyChange, changeBetween, changeToNew, isClockOnly } from './changes.js';
import { LiveStreams } from './live-stream.js';
import {
  type Command,
  type CommandReply,
  type Frame,
  type LiveSettings,
  type OverMessage,
  type SideChange,
  type SideName,
  type SideView,
  type Snapshot,
  type StoryReply,
  type StrikeView,
  sideNames,
} from './protocol.js';

/**
 * One side of the live lab: a running system (`live-run.ts`), or a recorded history that is played (`played-run.ts`).
 * The server (`live-server.ts`) knows nothing else of either.
 */
export interface Side {
  /** Returns what the page shows now. Cheap enough for ten calls a second. */
  view(): SideView;
  /** Says, in a sentence, that the machine is too busy for fair results at present. */
  warning?(): string | undefined;
  /** Judges every user that has news, so that the counters of `view` are those of `record`. */
  judgeAll(): void;
  /** Returns the history so far. */
  record(): ListedRun;
  /** Returns every operation of one user; undefined when there is no such user. */
  story(user: string): StoryReply | undefined;
  /** Called when a strike has changed its state. */
  onStrike: (strike: StrikeView, nowMs: number) => void;
  /** Stops everything and leaves nothing behind. Idempotent. */
  stop(): Promise<void>;
}

/** A side with a running system. Each command resolves with the problem in words; undefined when it was done. */
export interface StrikableSide extends Side {
  strike(fault: string, target: string, options?: Readonly<Record<string, unknown>>): Promise<string | undefined>;
  /** Heals the active strikes of a member, and those of its links. */
  heal(member: string): Promise<string | undefined>;
  setUsers(count: number): void;
  /** Forgets everything but the present sessions and the active strikes. */
  clear(): void;
}

/** A side that has not been started yet. `start` rejects when its system cannot be started. */
interface StartableSide extends Side {
  /** `liveLab`: the origin of the page, for links to it. */
  start(liveLab?: string): Promise<void>;
}

/** The choices of the user for one side. */
interface SideWish {
  readonly mode: string;
  readonly seed: number;
  readonly users: number;
}

/** A side without a system: it could not be started, or broke down. */
export interface FailedSide {
  readonly side: SideName;
  readonly problem: string;
}

export interface SessionOptions {
  readonly settings: LiveSettings;
  /** The mode of each side. Without `right` the session has one side. */
  readonly modes: { readonly left: string; readonly right?: string };
  makeSide(name: SideName, wish: SideWish): StartableSide;
  /** The clock of the stream, in milliseconds. */
  readonly now?: () => number;
  /** Called when a system could not be started, or broke down. The other side goes on. */
  onFailed?(failed: FailedSide): void;
}

type Problems = CommandReply['problems'];

const frameMs = 100;
/** When nothing changes but the clock, this long passes between two frames. */
const quietMs = 1000;

interface Slot {
  readonly name: SideName;
  side: StartableSide;
  wish: SideWish;
  /** The view as the open pages have it. */
  sent: SideView;
  /** The next frame begins a new run. */
  isNew: boolean;
  /** Number of times that the system was replaced. */
  changes: number;
  /** Settles when the latest change of the system has ended. */
  changing: Promise<FailedSide | undefined>;
}

/**
 * The two sides of one `holdfast live`. It sends the pages what has changed, ten times a second, and carries out their
 * commands.
 */
export class LiveSession {
  readonly stream: LiveStreams;
  readonly #options: SessionOptions;
  readonly #slots: readonly Slot[];
  #settings: LiveSettings;
  #timer: NodeJS.Timeout | undefined;
  #lastFrameMs = Number.NEGATIVE_INFINITY;
  #hasEnded = false;
  #liveLab: string | undefined;

  constructor(options: SessionOptions) {
    const { settings, modes } = options;
    this.#options = options;
    this.#settings = settings;
    this.stream = new LiveStreams(() => this.#snapshot(), options.now);
    this.#slots = sideNames.flatMap(name => {
      const mode = modes[name];
      return mode === undefined ? [] : [this.#newSlot(name, { mode, seed: settings.seed, users: settings.users })];
    });
  }

  get settings(): LiveSettings {
    return this.#settings;
  }

  side(name: SideName): Side | undefined {
    return this.#slotOf(name)?.side;
  }

  /** Whether at least one side runs or starts. */
  get isAlive(): boolean {
    return this.#slots.some(({ side }) => side.view().stage !== 'failed');
  }

  /** Starts both sides. Resolves when each has started or failed. `liveLab`: the origin of the page. */
  async start(liveLab?: string): Promise<void> {
    this.#liveLab = liveLab;
    this.#timer = setInterval(() => this.tick(), frameMs);
    for (const slot of this.#slots) slot.changing = this.#startSide(slot);
    await Promise.all(this.#slots.map(({ changing }) => changing));
    this.tick();
  }

  /** Sends a frame with what has changed since the last one. Sends none when there is no news. */
  tick(nowMs = performance.now()): void {
    this.#warn();
    const changes = this.#slots.map(slot => [slot, changeOf(slot)] as const);
    const isQuiet = changes.every(([, change]) => isClockOnly(change));
    if (isQuiet && nowMs - this.#lastFrameMs < quietMs) return;
    const news = changes.filter(([, change]) => isQuiet || !isClockOnly(change));
    this.#sendFrame(Object.fromEntries(news.map(([slot, change]) => [slot.name, this.#take(slot, change)])), nowMs);
  }

  /** Carries out a command. Resolves with the problems of the sides that could not do it. */
  async do(command: Command): Promise<Problems> {
    if (this.#settings.isReplay) return [{ problem: 'Recorded histories are played: nothing can be changed.' }];
    if (this.#hasEnded) return [{ problem: 'The command has ended.' }];
    switch (command.do) {
      case 'strike':
        return this.#onSides(command.sides, side => side.strike(command.fault, command.target, command.options));
      case 'heal':
        return this.#onSides(command.sides, side => side.heal(command.member));
      case 'set-users':
        return this.#setUsers(command.count);
      case 'set-mode':
        return this.#setMode(command.side, command.mode);
      case 'next-seed':
        return this.#nextSeed();
      case 'clear':
        return this.#clear();
    }
  }

  /**
   * Stops both sides, sends their last state and `over`, and ends the streams. With `write`, it sends a first `over`
   * before it writes the files: those of a long session take some seconds. Rejects as `write` does, after everything
   * else is done. Idempotent.
   */
  async end(reason: string, write?: () => Promise<readonly string[]>): Promise<void> {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    clearInterval(this.#timer);
    const stopping = [...this.#slots.map(({ side }) => side.stop()), ...this.#slots.map(({ changing }) => changing)];
    this.tick();
    const stopped = await Promise.allSettled(stopping);
    for (const { side } of this.#slots) side.judgeAll();
    this.tick(Number.POSITIVE_INFINITY);
    const [written] = await Promise.allSettled([this.#writeFiles(reason, write)]);
    this.stream.send(buildOverMessage(reason, written));
    this.stream.close();
    for (const each of [written, ...stopped]) if (each.status === 'rejected') throw each.reason;
  }

  async #writeFiles(reason: string, write?: () => Promise<readonly string[]>): Promise<readonly string[]> {
    if (write === undefined) return [];
    this.stream.send({ kind: 'over', reason, files: [], isWriting: true });
    // Writing blocks the event loop. The message must be sent before that.
    await setImmediate();
    return write();
  }

  #warn(): void {
    const { warning: before, ...settings } = this.#settings;
    const warning = this.#slots.map(({ side }) => side.warning?.()).find(each => each !== undefined);
    if (warning === before) return;
    this.#settings = { ...settings, ...(warning !== undefined && { warning }) };
    this.#sendFrame({ settings: this.#settings });
  }

  #snapshot(): Snapshot {
    const [left, right] = sideNames.map(name => this.#slotOf(name)?.sent);
    if (left === undefined) throw new TypeError('a session without a left side');
    return { kind: 'snapshot', settings: this.#settings, left, ...(right !== undefined && { right }) };
  }

  #sendFrame(frame: Omit<Frame, 'kind'>, nowMs = performance.now()): void {
    this.#lastFrameMs = nowMs;
    this.stream.send({ kind: 'frame', ...frame });
  }

  /** Notes that the open pages get this change. Returns the change. */
  #take(slot: Slot, change: SideChange): SideChange {
    slot.sent = applyChange(slot.sent, change);
    slot.isNew = false;
    if (change.stage === 'failed') this.#options.onFailed?.({ side: slot.name, problem: change.problem ?? '' });
    return change;
  }

  #slotOf(name: SideName): Slot | undefined {
    return this.#slots.find(slot => slot.name === name);
  }

  #newSlot(name: SideName, wish: SideWish): Slot {
    const side = this.#options.makeSide(name, wish);
    const slot: Slot = {
      name,
      side,
      wish,
      sent: side.view(),
      isNew: false,
      changes: 0,
      changing: Promise.resolve(undefined),
    };
    this.#listenTo(slot);
    return slot;
  }

  #listenTo(slot: Slot): void {
    slot.side.onStrike = (strike, nowMs) => {
      slot.sent = applyChange(slot.sent, { nowMs, strikes: [strike] });
      this.stream.send({ kind: 'strike', side: slot.name, nowMs, strike });
    };
  }

  async #onSides(
    names: readonly SideName[],
    work: (side: StrikableSide, slot: Slot) => Promise<string | undefined>,
  ): Promise<Problems> {
    const tried = await Promise.all(
      names.map(async side => {
        const problem = await this.#onSide(side, work).catch(messageOf);
        return problem === undefined ? undefined : { side, problem };
      }),
    );
    return tried.filter(each => each !== undefined);
  }

  async #onSide(
    name: SideName,
    work: (side: StrikableSide, slot: Slot) => Promise<string | undefined>,
  ): Promise<string | undefined> {
    const slot = this.#slotOf(name);
    if (slot === undefined) return `There is no ${name} side.`;
    const { stage } = slot.side.view();
    if (stage !== 'running') return `The ${name} side is not running: its stage is "${stage}".`;
    return isStrikable(slot.side) ? work(slot.side, slot) : `The ${name} side is played: nothing can strike it.`;
  }

  async #setUsers(count: number): Promise<Problems> {
    const { usersMin, usersMax } = this.#settings;
    if (count < usersMin || count > usersMax) {
      return [{ problem: `${count} users: expected ${usersMin} to ${usersMax}.` }];
    }
    this.#settings = { ...this.#settings, users: count };
    this.#sendFrame({ settings: this.#settings });
    for (const slot of this.#slots) slot.wish = { ...slot.wish, users: count };
    return this.#onRunningSides(async side => side.setUsers(count));
  }

  async #setMode(name: SideName, mode: string): Promise<Problems> {
    const slot = this.#slotOf(name);
    if (slot === undefined) return [{ side: name, problem: `There is no ${name} side.` }];
    if (!this.#settings.modes.includes(mode)) {
      return [{ side: name, problem: unknownName('mode', mode, this.#settings.modes) }];
    }
    return toProblems([await this.#change(slot, { ...slot.wish, mode })]);
  }

  async #nextSeed(): Promise<Problems> {
    const seed = this.#settings.seed + 1;
    this.#settings = { ...this.#settings, seed };
    this.#sendFrame({ settings: this.#settings });
    return toProblems(await Promise.all(this.#slots.map(slot => this.#change(slot, { ...slot.wish, seed }))));
  }

  #clear(): Promise<Problems> {
    return this.#onRunningSides(async (side, slot) => {
      side.clear();
      slot.isNew = true;
    });
  }

  #onRunningSides(work: (side: StrikableSide, slot: Slot) => Promise<void>): Promise<Problems> {
    const running = this.#slots.filter(({ side }) => side.view().stage === 'running').map(({ name }) => name);
    return this.#onSides(running, async (side, slot) => {
      await work(side, slot);
      return undefined;
    });
  }

  /**
   * Stops the system of a side and starts the wished one. A later wish for the same side replaces this one. If this
   * system has already been started, it is stopped again.
   */
  #change(slot: Slot, wish: SideWish): Promise<FailedSide | undefined> {
    const before = slot.changing;
    const stopping = slot.side.stop();
    slot.wish = wish;
    slot.changes += 1;
    const { changes } = slot;
    slot.changing = (async () => {
      await Promise.allSettled([before, stopping]);
      await slot.side.stop();
      if (slot.changes !== changes || this.#hasEnded) return undefined;
      slot.side.onStrike = () => {};
      slot.side = this.#options.makeSide(slot.name, slot.wish);
      slot.isNew = true;
      this.#listenTo(slot);
      return this.#startSide(slot);
    })();
    return slot.changing;
  }

  async #startSide(slot: Slot): Promise<FailedSide | undefined> {
    const { side, changes, name } = slot;
    const { users } = slot.wish;
    try {
      await side.start(this.#liveLab);
      // The number of users was changed while the system started.
      if (slot.wish.users !== users && isStrikable(side)) side.setUsers(slot.wish.users);
      return undefined;
    } catch (error) {
      // A system that was stopped while it started has not failed.
      return slot.changes !== changes || this.#hasEnded ? undefined : { side: name, problem: messageOf(error) };
    }
  }
}

function buildOverMessage(reason: string, written: PromiseSettledResult<readonly string[]>): OverMessage {
  if (written.status === 'fulfilled') return { kind: 'over', reason, files: written.value };
  return { kind: 'over', reason: `${reason} The files were not written: ${messageOf(written.reason)}`, files: [] };
}

function toProblems(failed: readonly (FailedSide | undefined)[]): Problems {
  return failed.filter(each => each !== undefined);
}

function isStrikable(side: Side): side is StrikableSide {
  return 'strike' in side;
}

function changeOf({ side, sent, isNew }: Slot): SideChange {
  return isNew ? changeToNew(side.view()) : changeBetween(sent, side.view());
}
