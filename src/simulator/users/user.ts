import type { BackendNaming } from '../cluster/cluster.js';
import type { Operation, OperationKind } from '../history/records.js';
import type { PlannedStep } from '../plan/planned-user.js';
import type { RunClock } from '../run/run-clock.js';
import { type HeldCredentials, UserBrowser } from './browser.js';
import type { HttpClient } from './http-client.js';
import type { AppReply, Journey } from './journey.js';
import { judge } from './outcome.js';
import { anonymousMax, UserState } from './user-state.js';

/** The environment that all users of a run share. */
export interface UserWorld {
  /** The origin of the cookies. */
  readonly origin: string;
  readonly journey: Journey;
  readonly clock: RunClock;
  readonly timeoutMs: number;
  readonly revocationLagMs: number;
  /** How often an old session is tried after its logout. Undefined: once, after the revocation lag. */
  readonly replayEveryMs?: number | undefined;
  readonly naming: BackendNaming;
  /** A cookie that each browser has from the start, with the name of its user. */
  readonly browserCookie?: string | undefined;
  /** Returns the name under which this run adds an item of the plan (`tokenOf`). */
  tokenOf(planned: string): string;
  /** Whether the run is over, so that nothing new may begin. */
  isOver(): boolean;
  nextId(): number;
  /** Called right before an operation is sent. */
  onSent(user: string, atMs: number): void;
  /** Called exactly once for each operation that was sent, when it has ended. */
  onOperation(operation: Operation): void;
  /** Called with how late a planned step was sent, without the time in which its own user was busy. */
  onLag(ms: number): void;
  /** Called for a step that was never sent. `waitMs` is how long its user had waited, or 0 if the user skipped the
   * step. */
  onDropped(plannedMs: number, waitMs: number): void;
}

/** One operation to do. */
interface Task {
  readonly kind: OperationKind;
  readonly plannedMs: number;
  readonly token?: string | undefined;
  readonly slowMs?: number | undefined;
  readonly final?: true;
  readonly extra?: true;
}

/** The credentials from before a logout. They are tried after it, and nothing from the answers is kept. */
interface OldSession {
  readonly session: number;
  readonly held: HeldCredentials;
}

/** A user does its steps from its arrival until it is asked to leave, or to the last of them. */
interface Visit {
  isLeaving: boolean;
}

/** With `replayEveryMs`, the old session is tried at least for this long. */
const replayForMs = 1_000;
const readBackTriesMax = 5;
const readBackWithinMs = 5_000;
const readBackPauseMs = 200;

/**
 * One simulated user. It does the planned steps one after the other, each at its time or when the one before has ended.
 * A step with `beside` happens in another tab: the next steps do not wait for it. After the next step without `beside`,
 * the user waits for all tabs.
 *
 * It does two things beyond the plan. Before a step it logs in (again) if its last login did not end ok, or after two
 * anonymous answers in a row. After an acknowledged logout, when the revocation lag is over, it tries its old cookies
 * once (`replay`). The scenario can make it try them before that, too. No other step waits for that. If it has not
 * logged in again by then, its next login sends the old session cookie. The history then records whether the app
 * replaced that cookie.
 *
 * It skips steps that are too late, and a logout if its last read showed no cart. After a logout that was not
 * acknowledged it skips everything until it is logged in again.
 */
export class User {
  readonly #name: string;
  readonly #world: UserWorld;
  readonly #browser: UserBrowser;
  readonly #state = new UserState();
  /** When its last operation ended. */
  #freeAtMs = 0;
  /** Operations that are open in other tabs. */
  #beside: Promise<unknown>[] = [];
  /** Replays that are not over. */
  readonly #replays = new Set<Promise<void>>();
  /** The steps that it was given last. */
  #visit: Visit = { isLeaving: false };
  /** Resolves when those steps are over. */
  #stepping: Promise<void> = Promise.resolve();
  /** Ends the wait for the next step. */
  #wake: () => void = () => undefined;

  constructor(name: string, world: UserWorld, client: Pick<HttpClient, 'send'>) {
    this.#name = name;
    this.#world = world;
    this.#browser = new UserBrowser(name, world.origin, world.journey, client, world.browserCookie);
  }

  /**
   * Does all steps. Resolves when every step is done or dropped, when the user has left, or soon after the run is over.
   * It first ends the steps that it was given before.
   */
  async doSteps(steps: Iterable<PlannedStep>): Promise<void> {
    const visit: Visit = { isLeaving: false };
    this.#visit = visit;
    this.#stepping = this.#stepping.then(() => this.#doAll(steps, visit));
    await this.#stepping;
  }

  /** Stops after the open requests, and reads the cart back. Resolves when that is done. */
  async leave(): Promise<void> {
    this.#visit.isLeaving = true;
    this.#wake();
    await this.#stepping;
  }

  async #doAll(steps: Iterable<PlannedStep>, visit: Visit): Promise<void> {
    const isOver = (): boolean => visit.isLeaving || this.#world.isOver();
    for (const step of steps) {
      if (!isOver()) await this.#waitUntil(step.atMs);
      if (isOver()) break;
      await this.#take(step);
    }
    await this.#waitForTabs();
    await Promise.all(this.#replays);
    if (visit.isLeaving && !this.#world.isOver()) await this.readBack();
  }

  /** Waits for a time of the run, or until the user leaves. */
  #waitUntil(atMs: number): Promise<void> {
    return new Promise<void>(resolve => {
      this.#wake = resolve;
      void this.#world.clock.until(atMs).then(resolve);
    });
  }

  /**
   * Reads the cart again, until the user gets its own cart, has tried five times, or five seconds have passed. After
   * the second anonymous answer it logs in again and reads what is left. An empty cart after that login is a loss. A
   * single anonymous answer may come from a backend that is still catching up. It stops if it is anonymous even after
   * the login. A user that never logged in, or that logged out and did not come back, has nothing to read.
   */
  async readBack(): Promise<void> {
    if (!this.#state.loggedIn) return;
    const { clock } = this.#world;
    const giveUpAtMs = clock.now() + readBackWithinMs;
    let [refusals, isBack] = [0, false];
    for (let tries = 1; tries <= readBackTriesMax; tries += 1) {
      if (refusals >= anonymousMax && !isBack) isBack = await this.#logInAgain();
      const { outcome, identity } = await this.#do({ kind: 'read', plannedMs: clock.now(), final: true });
      if (identity === null) refusals += 1;
      const nextMs = clock.now() + readBackPauseMs * 2 ** (tries - 1);
      const itsOwn = outcome === 'ok' && (identity === undefined || identity === this.#name);
      if (itsOwn || (identity === null && isBack) || nextMs > giveUpAtMs || this.#world.isOver()) return;
      await clock.until(nextMs);
    }
  }

  async #logInAgain(): Promise<boolean> {
    const plannedMs = this.#world.clock.now();
    const { outcome } = await this.#do({ kind: 'login', plannedMs, final: true, extra: true });
    return outcome === 'ok';
  }

  async #take(step: PlannedStep): Promise<void> {
    if (await this.#isReadyFor(step)) {
      this.#world.onLag(Math.max(0, this.#world.clock.now() - Math.max(step.atMs, this.#freeAtMs)));
      const done = step.kind === 'logout' ? this.#logOut(step) : this.#do(this.#taskOf(step));
      if (step.beside) this.#beside.push(done);
      else await done;
    }
    if (!step.beside) await this.#waitForTabs();
  }

  #taskOf({ kind, atMs, token, slowMs }: PlannedStep): Task {
    return { kind, plannedMs: atMs, slowMs, token: token === undefined ? undefined : this.#world.tokenOf(token) };
  }

  /** Prepares for a step, and logs in if needed. Returns false when the step must be skipped. */
  async #isReadyFor(step: PlannedStep): Promise<boolean> {
    if (this.#state.shouldSkip(step)) {
      this.#world.onDropped(step.atMs, 0);
      return false;
    }
    if (this.#isTooLate(step)) return this.#drop(step);
    if (!this.#state.mustLogIn || step.kind === 'login') return true;
    await this.#waitForTabs();
    await this.#do({ kind: 'login', plannedMs: step.atMs, extra: true });
    if (this.#world.isOver()) return false;
    return this.#state.inDoubt || this.#isTooLate(step) ? this.#drop(step) : true;
  }

  async #waitForTabs(): Promise<void> {
    await Promise.all(this.#beside.splice(0));
  }

  /** Logs out, then replays the old credentials. If another tab had an open request, its new cookies are tried as
   * well. */
  async #logOut({ atMs }: PlannedStep): Promise<void> {
    const before = this.#browser.snapshot('replay');
    const { outcome, session, doneMs } = await this.#do({ kind: 'logout', plannedMs: atMs });
    const isAlone = this.#beside.length === 0;
    await this.#waitForTabs();
    if (outcome !== 'ok') return;
    const after = isAlone ? undefined : this.#browser.snapshot('replay');
    const snapshots = isSame(before, after) ? [before] : [before, after];
    for (const held of snapshots) if (held !== undefined) this.#beginReplay({ session, held }, doneMs);
  }

  #beginReplay(old: OldSession, loggedOutMs: number): void {
    const replay: Promise<void> = this.#replay(old, loggedOutMs).finally(() => this.#replays.delete(replay));
    this.#replays.add(replay);
  }

  async #replay(old: OldSession, loggedOutMs: number): Promise<void> {
    await this.#replayOften(old, loggedOutMs);
    const plannedMs = Math.max(loggedOutMs + this.#world.revocationLagMs, this.#freeAtMs);
    await this.#world.clock.until(plannedMs);
    if (this.#world.isOver()) return;
    await this.#do({ kind: 'replay', plannedMs }, old);
    this.#browser.restoreSession(old.held.cookie);
  }

  /** Tries the old session again and again: each backend may learn of the logout at another time. */
  async #replayOften(old: OldSession, loggedOutMs: number): Promise<void> {
    const { clock, replayEveryMs, revocationLagMs } = this.#world;
    if (replayEveryMs === undefined) return;
    for (const plannedMs of listReplayTimes(loggedOutMs, Math.max(revocationLagMs, replayForMs), replayEveryMs)) {
      await clock.until(plannedMs);
      if (this.#world.isOver()) return;
      await this.#do({ kind: 'replay', plannedMs }, old);
    }
  }

  #isTooLate(step: PlannedStep): boolean {
    return this.#world.clock.now() - step.atMs > this.#world.timeoutMs;
  }

  #drop(step: PlannedStep): false {
    this.#state.noteDropped(step);
    this.#world.onDropped(step.atMs, Math.max(0, this.#world.clock.now() - step.atMs));
    return false;
  }

  /** Does one operation, from sending to its record. */
  async #do(task: Task, old?: OldSession): Promise<Operation> {
    const { clock, journey, timeoutMs } = this.#world;
    const { kind, token, slowMs } = task;
    const id = this.#world.nextId();
    const session = old?.session ?? this.#state.session + (kind === 'login' ? 1 : 0);
    const sentMs = Math.max(task.plannedMs, clock.now());
    this.#world.onSent(this.#name, sentMs);
    const cookieHeld = this.#browser.session;
    const asked = old === undefined ? this.#browser.ask(kind, token, slowMs) : this.#browser.askAgain(old.held);
    const reply = await asked;
    // A time-out counts with its limit, however late its timer fired.
    const doneMs = reply.error === 'timeout' ? sentMs + timeoutMs : Math.max(sentMs, clock.now());
    const judgement = judge(kind, reply, journey);
    const cookieBefore = kind === 'login' ? this.#browser.sessionAtLogin : undefined;
    const cookie = kind === 'login' && judgement.outcome === 'ok' ? this.#browser.session : undefined;
    const key = cookie === undefined ? undefined : journey.keyOf?.(cookie);
    const isKept = cookieBefore !== undefined && cookie === cookieBefore;
    const operation: Operation = {
      type: 'operation',
      id,
      user: this.#name,
      kind,
      session,
      ...(token === undefined ? {} : { token }),
      plannedMs: task.plannedMs,
      sentMs,
      doneMs,
      ...(reply.status === undefined ? {} : { status: reply.status }),
      ...judgement,
      ...readServers(reply, this.#world.naming),
      ...(key === undefined ? {} : { key }),
      ...(task.final === undefined ? {} : { final: task.final }),
      ...(task.extra === undefined ? {} : { extra: task.extra }),
      ...(isKept ? { keptId: true } : {}),
      ...(this.#isRenewed(kind, cookieHeld) ? { renewed: true } : {}),
    };
    if (old === undefined) this.#learn(operation);
    this.#world.onOperation(operation);
    return operation;
  }

  /** Whether the session cookie was replaced by another one, and not by a login or a logout. */
  #isRenewed(kind: Operation['kind'], cookieHeld: string | undefined): boolean {
    if (cookieHeld === undefined || ['login', 'logout', 'replay'].includes(kind)) return false;
    const { session } = this.#browser;
    return session !== undefined && session !== cookieHeld;
  }

  #learn(operation: Operation): void {
    this.#freeAtMs = operation.doneMs;
    this.#state.learn(operation);
  }
}

function isSame(one: HeldCredentials | undefined, other: HeldCredentials | undefined): boolean {
  return JSON.stringify(one) === JSON.stringify(other);
}

function readServers(
  { headers, proxy }: AppReply,
  { header, nameOf }: BackendNaming,
): Pick<Operation, 'backend' | 'incarnation' | 'version' | 'proxy'> {
  const { [header]: backend, 'holdfast-incarnation': incarnation, 'holdfast-version': version } = headers;
  return {
    ...(typeof backend === 'string' ? { backend: nameOf(backend) } : {}),
    ...(typeof incarnation === 'string' ? { incarnation } : {}),
    ...(typeof version === 'string' ? { version } : {}),
    ...(proxy === undefined ? {} : { proxy }),
  };
}

/** Returns the times at which an old session is tried. A time is no sum of steps: a sum is inexact, and one try more could
 * fit. */
export function listReplayTimes(fromMs: number, forMs: number, everyMs: number): number[] {
  return Array.from({ length: Math.ceil(forMs / everyMs) }, (_, nth) => fromMs + nth * everyMs);
}
