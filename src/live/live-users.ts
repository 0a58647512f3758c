import { generateSteps, habitsOf, userName } from '../simulator/plan/plan.js';
import type { RunClock } from '../simulator/run/run-clock.js';
import type { Scenario } from '../simulator/scenario/scenario.js';
import type { Driver } from '../simulator/users/driver.js';

const arrivalsMsMin = 2_000;
/** Time between two logins on a side. More logins at once would overload the systems before anything strikes. */
const loginGapMs = 25;

/** Returns the time over which this many users come, when they are asked for at once. */
export function arrivalsMsOf(users: number): number {
  return Math.max(arrivalsMsMin, users * loginGapMs);
}

interface LiveUsersOptions {
  readonly scenario: Pick<Scenario, 'users'>;
  readonly seed: number;
  readonly driver: Pick<Driver, 'add' | 'leave'>;
  readonly clock: Pick<RunClock, 'now'>;
  onCome(name: string): void;
  onLeft(name: string): void;
  /** Called when a user cannot go on: a defect of the lab. */
  onBroken(error: unknown): void;
}

/** One user by its number, from 1. */
interface NumberedUser {
  readonly name: string;
  visits: number;
  /** When it came last, or will come. */
  comesMs: number;
  /** Resolves when the user has come or left completely. */
  moved: Promise<void>;
}

/**
 * The users of one side, who come and leave at any time. The user of a number is the same shopper on every side: it has
 * the same name, and does the same things for the same seed. The user with the highest number leaves first. When it
 * comes again it is the same user with the same browser, and goes on with new steps.
 */
export class LiveUsers {
  readonly #options: LiveUsersOptions;
  readonly #habits: ReturnType<typeof habitsOf>;
  readonly #users: NumberedUser[] = [];
  #count = 0;

  constructor(options: LiveUsersOptions) {
    this.#options = options;
    this.#habits = habitsOf(options.scenario);
  }

  /** Lets users come or leave until there are `count` of them, or as many as the scenario has names. */
  setCount(count: number): void {
    const { names } = this.#options.scenario.users;
    const wanted = Math.max(0, Math.min(count, Array.isArray(names) ? names.length : count));
    const coming = wanted - this.#count;
    const gapMs = arrivalsMsOf(coming) / Math.max(1, coming);
    // Users of an earlier call may not have come yet.
    const lastMs = this.#users[this.#count - 1]?.comesMs ?? Number.NEGATIVE_INFINITY;
    const fromMs = Math.max(this.#options.clock.now(), lastMs + loginGapMs);
    for (let index = this.#count; index < wanted; index += 1)
      this.#come(index, Math.round(fromMs + (index - this.#count) * gapMs));
    for (let index = this.#count - 1; index >= wanted; index -= 1) this.#leave(index);
    this.#count = wanted;
  }

  #come(index: number, fromMs: number): void {
    const { driver, seed, onCome, onBroken } = this.#options;
    const user = this.#userAt(index);
    user.visits += 1;
    user.comesMs = fromMs;
    const number = index + 1;
    // Every visit has its own items.
    const id = user.visits === 1 ? `user-${number}` : `user-${number}-${user.visits}`;
    user.moved = user.moved.then(() => {
      onCome(user.name);
      driver.add({ name: user.name, steps: generateSteps({ id }, fromMs, this.#habits, seed) }).catch(onBroken);
    });
  }

  #leave(index: number): void {
    const { driver, onLeft, onBroken } = this.#options;
    const user = this.#userAt(index);
    user.moved = user.moved.then(async () => {
      await driver.leave(user.name).catch(onBroken);
      onLeft(user.name);
    });
  }

  #userAt(index: number): NumberedUser {
    const name = userName(this.#options.scenario.users.names, index + 1);
    this.#users[index] ??= { name, visits: 0, comesMs: Number.NEGATIVE_INFINITY, moved: Promise.resolve() };
    return this.#users[index];
  }
}
