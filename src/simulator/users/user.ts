import type { Operation, OperationKind, OperationOutcome } from '../history.js';
import type { PlannedStep, PlannedUser } from '../plan.js';
import type { RunClock } from '../run-clock.js';
import { Browser } from './browser.js';
import type { HttpClient, Reply } from './http-client.js';
import { judge } from './outcome.js';
import type { Journey } from './shop-requests.js';

/** What all users of a run share. */
export interface World {
  readonly origin: string;
  readonly journey: Journey;
  readonly client: HttpClient;
  readonly clock: RunClock;
  readonly timeoutMs: number;
  readonly revocationLagMs: number;
  /** Nothing new is to be begun. */
  isOver(): boolean;
  nextId(): number;
  /** Exactly once for each operation that was sent, when it has ended. */
  onOperation(operation: Operation): void;
  /** How late a planned step was sent, beyond what its own user held it back. */
  onLag(ms: number): void;
  /** A step, planned for then, that was never sent. */
  onDropped(plannedMs: number): void;
}

interface Errand {
  readonly kind: OperationKind;
  readonly plannedMs: number;
  readonly token?: string | undefined;
  readonly final?: true;
  readonly extra?: true;
}

/** What a user held before a logout: tried once more after it, and nothing of the answer is kept. */
interface OldSession {
  readonly session: number;
  readonly cookie: string;
}

/** A user logs in again after so many anonymous answers in a row: the first may be a flicker. */
const anonymousMax = 2;
const readBackTriesMax = 5;
const readBackWithinMs = 5_000;
const readBackPauseMs = 200;

/**
 * One simulated user: does the planned steps one after the other, each at its time or as soon as the one before is over.
 * What it does beyond the plan: it logs in (again) before a step when its last login did not end ok or when it was
 * answered as anonymous twice in a row, and after an acknowledged logout, as soon as that must be known everywhere, it
 * tries its old cookies once (`replay`), beside its further steps: none of them waits for it.
 * What it leaves out: steps that come too late, a logout when it could not see its cart right before, and, when nobody
 * acknowledged its logout, everything until it is logged in again.
 */
export class User {
  readonly #name: string;
  readonly #steps: readonly PlannedStep[];
  readonly #world: World;
  readonly #browser: Browser;
  #session = 0;
  /** Whether it has reason to believe that it is logged in. */
  #loggedIn = false;
  #mustLogIn = false;
  #anonymousInRow = 0;
  /** Its last step was to read the cart, and it saw none: an error, or no time. */
  #missedCart = false;
  /** It asked to be logged out, and was told neither yes nor no. */
  #inDoubt = false;
  /** It has put off a planned logout, and with it the login that follows. */
  #staysIn = false;
  /** When its last operation ended. */
  #freeAtMs = 0;
  readonly #replays: Promise<void>[] = [];

  constructor({ name, steps }: PlannedUser, world: World) {
    this.#name = name;
    this.#steps = steps;
    this.#world = world;
    this.#browser = new Browser(name, world.origin, world.journey, world.client);
  }

  /** Resolves when every step is done or dropped, or soon after all is over. */
  async live(): Promise<void> {
    for (const step of this.#steps) {
      await this.#world.clock.until(step.atMs);
      if (this.#world.isOver()) break;
      await this.#take(step);
    }
    await Promise.all(this.#replays);
  }

  /**
   * Reads the cart once more; again while the answer is neither its cart nor "anonymous". Who never logged in, or logged
   * out and did not come back, has nothing to read.
   */
  async readBack(): Promise<void> {
    if (!this.#loggedIn) return;
    const { clock } = this.#world;
    const giveUpAtMs = clock.now() + readBackWithinMs;
    for (let tries = 1; tries <= readBackTriesMax; tries += 1) {
      const { outcome, identity } = await this.#do({ kind: 'read', plannedMs: clock.now(), final: true });
      const nextMs = clock.now() + readBackPauseMs * 2 ** (tries - 1);
      const itsOwn = outcome === 'ok' && (identity === undefined || identity === this.#name);
      if (itsOwn || identity === null || nextMs > giveUpAtMs || this.#world.isOver()) return;
      await clock.until(nextMs);
    }
  }

  async #take(step: PlannedStep): Promise<void> {
    if (this.#putsOff(step)) return this.#world.onDropped(step.atMs);
    if (this.#tooLate(step)) return this.#drop(step);
    if (this.#mustLogIn && step.kind !== 'login') {
      await this.#do({ kind: 'login', plannedMs: step.atMs, extra: true });
      if (this.#world.isOver()) return;
      // What it did with a session that may have ended could never be held against anybody.
      if (this.#inDoubt || this.#tooLate(step)) return this.#drop(step);
    }
    this.#world.onLag(Math.max(0, this.#world.clock.now() - Math.max(step.atMs, this.#freeAtMs)));
    if (step.kind === 'logout') await this.#logOut(step);
    else await this.#do({ kind: step.kind, plannedMs: step.atMs, token: step.token });
  }

  /**
   * Who met an error page in place of its cart does not log out. For the evidence: what was written could not be looked
   * at any more after it.
   */
  #putsOff({ kind }: PlannedStep): boolean {
    if (kind === 'logout') this.#staysIn = this.#missedCart;
    const putOff = this.#staysIn && (kind === 'logout' || kind === 'login');
    if (kind === 'login') this.#staysIn = false;
    return putOff;
  }

  async #logOut(step: PlannedStep): Promise<void> {
    const cookie = this.#browser.cookieFor('replay');
    const { outcome, session, doneMs } = await this.#do({ kind: 'logout', plannedMs: step.atMs });
    if (outcome === 'ok' && cookie !== undefined) this.#replays.push(this.#replay({ session, cookie }, doneMs));
  }

  async #replay(old: OldSession, loggedOutMs: number): Promise<void> {
    const plannedMs = loggedOutMs + this.#world.revocationLagMs;
    await this.#world.clock.until(plannedMs);
    if (!this.#world.isOver()) await this.#do({ kind: 'replay', plannedMs }, old);
  }

  #tooLate(step: PlannedStep): boolean {
    return this.#world.clock.now() - step.atMs > this.#world.timeoutMs;
  }

  #drop(step: PlannedStep): void {
    if (step.kind === 'login') this.#mustLogIn = true;
    this.#missedCart = step.kind === 'read';
    this.#world.onDropped(step.atMs);
  }

  /** One operation, from sending to its record. */
  async #do(errand: Errand, old?: OldSession): Promise<Operation> {
    const { clock, journey, timeoutMs } = this.#world;
    const { kind, token } = errand;
    const id = this.#world.nextId();
    const session = old?.session ?? (kind === 'login' ? this.#session + 1 : this.#session);
    const sentMs = Math.max(errand.plannedMs, clock.now());
    const asked = old === undefined ? this.#browser.ask(kind, token) : this.#browser.askAgain(kind, old.cookie);
    const reply = await asked;
    // A timeout counts at its limit, whenever its timer came to fire.
    const doneMs = reply.error === 'timeout' ? sentMs + timeoutMs : Math.max(sentMs, clock.now());
    const operation: Operation = {
      type: 'operation',
      id,
      user: this.#name,
      kind,
      session,
      ...(token === undefined ? {} : { token }),
      plannedMs: errand.plannedMs,
      sentMs,
      doneMs,
      ...(reply.status === undefined ? {} : { status: reply.status }),
      ...judge(kind, reply, journey),
      ...servedBy(reply),
      ...(errand.final === undefined ? {} : { final: errand.final }),
      ...(errand.extra === undefined ? {} : { extra: errand.extra }),
    };
    if (old === undefined) this.#learn(operation);
    this.#world.onOperation(operation);
    return operation;
  }

  #learn({ kind, outcome, identity, doneMs }: Operation): void {
    this.#freeAtMs = doneMs;
    this.#missedCart = kind === 'read' && outcome !== 'ok' && identity !== null;
    if (kind === 'login') this.#learnLogin(outcome === 'ok');
    else if (kind === 'logout' && outcome !== 'fail') this.#learnLogout(outcome);
    else if (typeof identity === 'string') this.#anonymousInRow = 0;
    else if (identity === null && this.#loggedIn) this.#anonymousInRow += 1;
    if (this.#anonymousInRow >= anonymousMax) this.#mustLogIn = true;
  }

  #learnLogin(ok: boolean): void {
    this.#mustLogIn = !ok;
    if (!ok) return;
    this.#inDoubt = false;
    this.#session += 1;
    this.#loggedIn = true;
    this.#anonymousInRow = 0;
  }

  #learnLogout(outcome: OperationOutcome): void {
    if (outcome === 'ok') this.#loggedIn = false;
    this.#inDoubt = outcome === 'unknown';
  }
}

function servedBy({ headers }: Reply): { backend?: string; incarnation?: string } {
  const { 'holdfast-backend': backend, 'holdfast-incarnation': incarnation } = headers;
  return {
    ...(typeof backend === 'string' ? { backend } : {}),
    ...(typeof incarnation === 'string' ? { incarnation } : {}),
  };
}
