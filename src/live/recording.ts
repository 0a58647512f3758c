import { type ListedRun, lastMomentOf } from '../simulator/history/records.js';
import { applyChange, changeBetween, isClockOnly } from './changes.js';
import { PlayedRun } from './played-run.js';
import {
  type LiveSettings,
  type SideChange,
  type SideName,
  type SideView,
  type Snapshot,
  type StoryReply,
  type StreamMessage,
  shownMs,
} from './protocol.js';

/** The stream of a live lab that plays recorded runs, made in advance for a page without a server. */
export interface Recording {
  readonly snapshot: Snapshot;
  /** In the order of their times. */
  readonly messages: readonly RecordedMessage[];
  readonly endMs: number;
  /** The whole story of each user. */
  readonly stories: { readonly [Side in SideName]?: Readonly<Record<string, StoryReply>> };
}

export interface RecordedMessage {
  readonly atMs: number;
  readonly message: StreamMessage;
}

/** Time between two frames. */
const stepMs = 100;
/** When nothing changes but the clock, this long passes between two frames. */
const quietMs = 1000;

/** Returns the settings of a session that plays these runs. */
export function replaySettings(left: ListedRun, right?: ListedRun): LiveSettings {
  const users = usersOf(left).length;
  const endMs = Math.max(lastMomentOf(left), right === undefined ? 0 : lastMomentOf(right));
  const { seed } = left.header;
  const whole = endMs <= shownMs && { wholeMs: endMs };
  return { seed, users, usersMin: users, usersMax: users, modes: [], isReplay: true, ...whole };
}

/** Plays runs to their end, in no time, and returns what a page would have received. */
export async function makeRecording(left: ListedRun, right?: ListedRun): Promise<Recording> {
  let nowMs = 0;
  const messages: RecordedMessage[] = [];
  const runs = { left, ...(right !== undefined && { right }) };
  const sides = await Promise.all(
    sidesOf(runs).map(([name, run]) => RecordedSide.start(name, run, () => nowMs, messages)),
  );
  const [first, second] = sides;
  if (first === undefined) throw new TypeError('a recording without a left side');
  const snapshot: Snapshot = {
    kind: 'snapshot',
    settings: replaySettings(left, right),
    left: first.sent,
    ...(second !== undefined && { right: second.sent }),
  };
  const endMs = Math.max(...Object.values(runs).map(lastMomentOf));
  for (let lastMs = 0; nowMs < endMs; ) {
    nowMs = Math.min(endMs, nowMs + stepMs);
    const changes = sides.map(side => [side.name, side.change()] as const);
    const isQuiet = changes.every(([, change]) => isClockOnly(change));
    if (isQuiet && nowMs - lastMs < quietMs && nowMs < endMs) continue;
    lastMs = nowMs;
    messages.push({ atMs: nowMs, message: { kind: 'frame', ...Object.fromEntries(changes) } });
  }
  await Promise.all(sides.map(side => side.played.stop()));
  return { snapshot, messages, endMs, stories: Object.fromEntries(sides.map(side => [side.name, side.stories()])) };
}

/** One side while it is recorded. `sent`: the view as a page has it. */
class RecordedSide {
  sent: SideView;

  private constructor(
    readonly name: SideName,
    readonly played: PlayedRun,
    readonly users: readonly string[],
  ) {
    this.sent = played.view();
  }

  static async start(
    name: SideName,
    run: ListedRun,
    now: () => number,
    messages: RecordedMessage[],
  ): Promise<RecordedSide> {
    const played = new PlayedRun(run, now);
    await played.start();
    const side = new RecordedSide(name, played, usersOf(run));
    played.onStrike = (strike, nowMs) => {
      side.sent = applyChange(side.sent, { nowMs, strikes: [strike] });
      messages.push({ atMs: now(), message: { kind: 'strike', side: name, nowMs, strike } });
    };
    return side;
  }

  /** Plays up to the present, and returns what has changed. */
  change(): SideChange {
    this.played.play();
    this.played.judgeAll();
    const change = changeBetween(this.sent, this.played.view());
    this.sent = applyChange(this.sent, change);
    return change;
  }

  stories(): Record<string, StoryReply> {
    const told = this.users.map(user => [user, this.played.story(user)] as const);
    return Object.fromEntries(told.filter((each): each is [string, StoryReply] => each[1] !== undefined));
  }
}

function sidesOf(runs: { readonly [Side in SideName]?: ListedRun }): readonly (readonly [SideName, ListedRun])[] {
  const { left, right } = runs;
  return [...(left ? [['left', left] as const] : []), ...(right ? [['right', right] as const] : [])];
}

function usersOf({ operations }: ListedRun): readonly string[] {
  return [...new Set(operations.map(({ user }) => user))];
}
