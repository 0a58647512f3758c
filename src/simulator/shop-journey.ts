import type { PlannedStep, PlannedUser } from './plan.js';
import { logNormal, pick, pickWeighted, type Random, randomStream } from './random.js';

type Choice = 'add' | 'read' | 'whoami' | 'remove' | 'logout';

/** How often a shopper does what, once logged in. */
const weights: readonly (readonly [Choice, number])[] = [
  ['add', 50],
  ['read', 25],
  ['whoami', 10],
  ['remove', 8],
  ['logout', 4],
];

export interface Habits {
  readonly medianMs: number;
  readonly p95Ms: number;
  /** Whether the app has a request for such a step. */
  can(kind: Choice): boolean;
}

/**
 * What one shopper does from `arriveMs` until `endMs`: logs in, adds something, then whatever comes to mind. A logout
 * has a read right before it, so that everything written is seen once more, and a login right after it. Only what was
 * added since the latest login is removed: a new session begins with an empty cart. Pure; each purpose draws from a
 * stream of its own.
 */
export function planShopper(name: string, arriveMs: number, endMs: number, habits: Habits, seed: number): PlannedUser {
  const wanted = weights.filter(([choice]) => habits.can(choice));
  const thinking = randomStream(seed, `${name}/think`);
  const wishes = shopper(name, wanted, randomStream(seed, `${name}/choice`), randomStream(seed, `${name}/remove`));
  const steps: PlannedStep[] = [];
  for (let atMs = arriveMs; atMs < endMs; ) {
    steps.push({ atMs, ...wishes.next().value });
    // At least a millisecond: two steps of one user never share an instant.
    atMs += Math.max(1, Math.round(logNormal(thinking, habits.medianMs, habits.p95Ms)));
  }
  return { name, steps };
}

type Wish = Omit<PlannedStep, 'atMs'>;

/** An endless sequence; time is somebody else's business. */
function* shopper(name: string, wanted: typeof weights, choosing: Random, removing: Random): Generator<Wish, never> {
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
    yield* whileLoggedIn(cart, add, wanted, choosing, removing);
  }
}

function* whileLoggedIn(
  cart: string[],
  add: (cart: string[]) => Wish,
  wanted: typeof weights,
  choosing: Random,
  removing: Random,
): Generator<Wish, void> {
  for (;;) {
    const choice = pickWeighted(choosing, wanted) ?? 'read';
    if (choice === 'logout') {
      yield { kind: 'read' };
      yield { kind: 'logout' };
      return;
    }
    if (choice === 'add') yield add(cart);
    else if (choice === 'remove') yield remove(cart, removing) ?? add(cart);
    else yield { kind: choice };
  }
}

function remove(cart: string[], removing: Random): Wish | undefined {
  const token = pick(removing, cart);
  if (token === undefined) return undefined;
  cart.splice(cart.indexOf(token), 1);
  return { kind: 'remove', token };
}
