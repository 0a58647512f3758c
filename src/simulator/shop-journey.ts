import type { PlannedStep, PlannedUser } from './plan.js';
import { logNormal, pick, pickWeighted, type Random, randomStream } from './random.js';
import type { Scenario } from './scenario/scenario.js';

type Choice = 'add' | 'read' | 'whoami' | 'remove' | 'logout';

/** How often a shopper does what, once logged in. */
const weights: readonly (readonly [Choice, number])[] = [
  ['add', 50],
  ['read', 25],
  ['whoami', 10],
  ['remove', 8],
  ['logout', 4],
];

/** Of a browser with several tabs: how often an add is one in each of them. */
const allTabsShare = 0.3;

export interface Habits extends Pick<Scenario['users'], 'think' | 'tabs' | 'slowAtLogoutMs'> {
  /** Whether the app has a request for such a step. */
  can(kind: Choice): boolean;
}

/**
 * What one shopper does from `arriveMs` until `endMs`: logs in, adds something, then whatever comes to mind. A logout
 * has a read before it, so that everything written is seen once more, and a login right after it. Only what was
 * added since the latest login is removed: a new session begins with an empty cart. Pure; each purpose draws from a
 * stream of its own.
 */
export function planShopper(name: string, arriveMs: number, endMs: number, habits: Habits, seed: number): PlannedUser {
  const { think } = habits;
  const thinking = randomStream(seed, `${name}/think`);
  const wishes = shopper(name, habits, {
    choice: randomStream(seed, `${name}/choice`),
    remove: randomStream(seed, `${name}/remove`),
    tabs: randomStream(seed, `${name}/tabs`),
  });
  const steps: PlannedStep[] = [];
  for (let atMs = arriveMs; atMs < endMs; ) {
    const step = { atMs, ...wishes.next().value };
    steps.push(step);
    // At least a millisecond: what one user does in one tab never shares an instant.
    if (step.beside) atMs += besideMs(step);
    else atMs += Math.max(1, Math.round(logNormal(thinking, think.medianMs, think.p95Ms)));
  }
  return { name, steps };
}

/** Nobody thinks between two tabs. A slow request is met in the middle. */
function besideMs({ slowMs = 0 }: PlannedStep): number {
  return Math.floor(slowMs / 2);
}

type Wish = Omit<PlannedStep, 'atMs'>;

interface Chance {
  readonly choice: Random;
  readonly remove: Random;
  readonly tabs: Random;
}

/** An endless sequence; time is somebody else's business. */
function* shopper(name: string, habits: Habits, chance: Chance): Generator<Wish, never> {
  let adds = 0;
  const add = (cart: string[]): Wish => {
    adds += 1;
    const token = `${name}.${adds}`;
    cart.push(token);
    return { kind: 'add', token };
  };
  for (;;) {
    const cart: string[] = [];
    yield { kind: 'login' };
    yield add(cart);
    yield* whileLoggedIn(cart, add, habits, chance);
  }
}

function* whileLoggedIn(
  cart: string[],
  add: (cart: string[]) => Wish,
  { can, tabs, slowAtLogoutMs: slowMs }: Habits,
  chance: Chance,
): Generator<Wish, void> {
  const wanted = weights.filter(([choice]) => can(choice));
  for (;;) {
    const choice = pickWeighted(chance.choice, wanted) ?? 'read';
    if (choice === 'logout') {
      yield { kind: 'read' };
      if (slowMs !== undefined) yield { ...add(cart), beside: true, slowMs };
      yield { kind: 'logout' };
      return;
    }
    if (choice === 'add') yield* addInTabs(tabs, () => add(cart), chance.tabs);
    else if (choice === 'remove') yield remove(cart, chance.remove) ?? add(cart);
    else yield { kind: choice };
  }
}

/** In one, or in all at once: then only the last is waited for. */
function* addInTabs(tabs: number, add: () => Wish, chance: Random): Generator<Wish, void> {
  const others = tabs > 1 && chance() < allTabsShare ? tabs - 1 : 0;
  for (let tab = 0; tab < others; tab += 1) yield { ...add(), beside: true };
  yield add();
}

function remove(cart: string[], removing: Random): Wish | undefined {
  const token = pick(removing, cart);
  if (token === undefined) return undefined;
  cart.splice(cart.indexOf(token), 1);
  return { kind: 'remove', token };
}
