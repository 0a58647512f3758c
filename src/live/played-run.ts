import { caseOfUser } from '../report/html/case-file.js';
import { type FaultRecord, type ListedRun, lastMomentOf, type Operation } from '../simulator/history/records.js';
import { noLab } from '../simulator/run/lab-health.js';
import { applyChange, changeBetween, isClockOnly } from './changes.js';
import { LiveHistory } from './live-history.js';
import type { Side } from './live-session.js';
import {
  type LabRecording,
  type LiveSettings,
  type RecordedMessage,
  type SideChange,
  type SideName,
  type SideView,
  type Snapshot,
  type StoryReply,
  type StrikeState,
  type StrikeView,
  shownMs,
} from './protocol.js';

const playEveryMs = 50;
const judgeBudgetMs = 10;
/** Time between two frames. */
const stepMs = 100;
/** When nothing changes but the clock, this long passes between two frames. */
const quietMs = 1000;

/** One fact of the recorded history. `atMs`: when a running system would have told it. */
interface Event {
  readonly atMs: number;
  tell(): void;
}

/** Plays a recorded history: it tells a `LiveHistory` each fact at its time, as a running system would. */
export class PlayedRun implements Side {
  onStrike: (strike: StrikeView, nowMs: number) => void = () => undefined;
  readonly #run: ListedRun;
  readonly #clock: () => number;
  readonly #history: LiveHistory;
  readonly #endMs: number;
  /** In the order of their times. */
  readonly #events: readonly Event[];
  #next = 0;
  #startedMs: number | undefined;
  #stoppedMs: number | undefined;
  #timer: NodeJS.Timeout | undefined;

  /** `clock`: a clock in milliseconds. */
  constructor(run: ListedRun, clock: () => number = () => performance.now()) {
    this.#run = run;
    this.#clock = clock;
    // The whole run is in memory already, and its end must be that of its report.
    this.#history = new LiveHistory({ header: run.header, operationsMax: Number.POSITIVE_INFINITY });
    this.#endMs = lastMomentOf(run);
    this.#events = this.#listEvents();
  }

  /** Plays from the start. */
  async start(): Promise<void> {
    this.#startedMs = this.#clock();
    this.#timer = setInterval(() => this.play(), playEveryMs);
    this.play();
  }

  /** Replays all events up to now. */
  play(): void {
    const nowMs = this.#now();
    for (let event = this.#events[this.#next]; event && event.atMs <= nowMs; event = this.#events[this.#next]) {
      this.#next += 1;
      event.tell();
    }
    if (this.#isOver) this.#finish();
    else this.#history.judgeSome(judgeBudgetMs);
  }

  view(): SideView {
    const nowMs = this.#now();
    const stage = this.#startedMs === undefined ? 'starting' : this.#isOver ? 'over' : 'running';
    return { mode: this.#run.header.mode, stage, nowMs, ...this.#history.view(nowMs), offers: [] };
  }

  judgeAll(): void {
    this.#history.judgeAll();
  }

  /** Returns the recorded run if it was played to its end, otherwise the part that was played. */
  record(): ListedRun {
    return this.#next === this.#events.length ? this.#run : this.#history.record(noLab);
  }

  story(user: string): StoryReply | undefined {
    return caseOfUser({ ...this.#history.record(noLab), operations: this.#history.operationsOf(user) }, user);
  }

  async stop(): Promise<void> {
    this.#stoppedMs ??= this.#now();
    this.#finish();
  }

  get #isOver(): boolean {
    return this.#stoppedMs !== undefined || this.#now() === this.#endMs;
  }

  #now(): number {
    if (this.#startedMs === undefined) return 0;
    return this.#stoppedMs ?? Math.min(this.#endMs, this.#clock() - this.#startedMs);
  }

  #finish(): void {
    clearInterval(this.#timer);
    this.judgeAll();
  }

  #listEvents(): readonly Event[] {
    const { members, phases, faults, operations } = this.#run;
    const history = this.#history;
    return [
      ...members.map(record => ({ atMs: record.atMs, tell: () => history.member(record) })),
      ...phases.map(record => ({ atMs: record.endMs, tell: () => history.phase(record) })),
      ...faults.flatMap(fault => this.#eventsOfFault(fault)),
      ...this.#eventsOfUsers(operations),
      // Among events of one time, the earlier in this list comes first.
    ].sort((one, other) => one.atMs - other.atMs);
  }

  #eventsOfUsers(operations: readonly Operation[]): readonly Event[] {
    const history = this.#history;
    const seen = new Set<string>();
    return operations.flatMap(operation => {
      const { user, sentMs, doneMs } = operation;
      const isFirst = !seen.has(user);
      seen.add(user);
      return [
        ...(isFirst ? [{ atMs: sentMs, tell: () => history.userAdded(user) }] : []),
        { atMs: sentMs, tell: () => history.sent(user, sentMs) },
        { atMs: doneMs, tell: () => history.operation(operation) },
      ];
    });
  }

  #eventsOfFault(fault: FaultRecord): readonly Event[] {
    return statesOf(fault, this.#endMs).map(([state, atMs], index, all) => {
      const record = index === all.length - 1 ? fault : recordAt(fault, state, atMs);
      return {
        atMs,
        tell: () => this.onStrike(this.#history.strike(record, state), atMs),
      };
    });
  }
}

/** Returns the states of a strike with their times. */
function statesOf(fault: FaultRecord, endMs: number): readonly (readonly [StrikeState, number])[] {
  const { requestedMs, confirmedMs, healRequestedMs, healedMs, notBack } = fault;
  const healingMs = healRequestedMs ?? healedMs;
  const states: (readonly [StrikeState, number])[] = [['requested', requestedMs]];
  if (confirmedMs !== null) states.push(['confirmed', confirmedMs]);
  // The record does not say when the confirmation was given up.
  else states.push(['not-confirmed', healingMs ?? endMs]);
  if (healingMs !== null) states.push(['healing', healingMs]);
  if (healedMs !== null) states.push(['healed', healedMs]);
  else if (healingMs !== null && (notBack !== undefined || confirmedMs !== null)) states.push(['not-healed', endMs]);
  return states;
}

/** Returns what the record of a fault said when the fault entered this state. */
function recordAt(fault: FaultRecord, state: StrikeState, atMs: number): FaultRecord {
  const { evidence, problem, notBack, measured, healRequestedMs, ...rest } = fault;
  const until = (ms: number | null) => (ms !== null && ms <= atMs ? ms : null);
  const isConfirmed = until(fault.confirmedMs) !== null;
  return {
    ...rest,
    confirmedMs: until(fault.confirmedMs),
    ...(healRequestedMs !== undefined && { healRequestedMs: until(healRequestedMs) }),
    healedMs: until(fault.healedMs),
    ...(isConfirmed && evidence !== undefined && { evidence }),
    ...(state === 'not-confirmed' && problem !== undefined && { problem }),
  };
}

/** Returns the settings of a session that plays these runs. */
export function replaySettings(left: ListedRun, right?: ListedRun): LiveSettings {
  const users = usersOf(left).length;
  const endMs = Math.max(lastMomentOf(left), right === undefined ? 0 : lastMomentOf(right));
  const { seed } = left.header;
  const whole = endMs <= shownMs && { wholeMs: endMs };
  return { seed, users, usersMin: users, usersMax: users, modes: [], isReplay: true, ...whole };
}

/** Plays runs to their end, in no time, and returns what a page would have received. */
export async function makeRecording(left: ListedRun, right?: ListedRun): Promise<LabRecording> {
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
