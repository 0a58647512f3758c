import type { ActivityMix, Scenario } from '../scenario/scenario.js';
import type { PlannedStep, PlannedUser } from './planned.js';
import { logNormal, pick, pickWeighted, type Random, randomStream } from './random.js';

type Choice = keyof ActivityMix;

const choices: readonly Choice[] = ['add', 'read', 'whoami', 'remove', 'logout'];

/** How often a shopper does what, once logged in, where the scenario has no mix of its own. */
const shopperMix: ActivityMix = { add: 50, read: 25, whoami: 10, remove: 8, logout: 4 };

/** Of a browser with several tabs: how often an add is one in each of them. */
const allTabsShare = 0.3;

export interface Habits extends Pick<Scenario['users'], 'think' | 'mix' | 'tabs' | 'slowAtLogoutMs'> {
  /** Whether the app has a request for such a step. */
  can(kind: Choice): boolean;
  /** Whether the app can be asked to take its time over an add. */
  readonly canBeSlow: boolean;
}

/** One user of the plan. Chance and tokens go by its id, so that they do not depend on how the user is called. */
export interface Shopper {
  readonly id: string;
  readonly name: string;
}

/**
 * Plans what one shopper does within a time: logs in, adds something, then whatever comes to mind. A logout
 * has a read before it, so that everything written is seen once more, and a login right after it. Only what was
 * added since the latest login is removed: a new session begins with an empty cart. Pure; each purpose draws from a
 * stream of its own.
 */
export function planShopper(
  { id, name }: Shopper,
  { fromMs, endMs }: { readonly fromMs: number; readonly endMs: number },
  habits: Habits,
  seed: number,
): PlannedUser {
  const { think, canBeSlow } = habits;
  const thinking = randomStream(seed, `${id}/think`);
  const wishes = shopper(id, habits, {
    choice: randomStream(seed, `${id}/choice`),
    remove: randomStream(seed, `${id}/remove`),
    tabs: randomStream(seed, `${id}/tabs`),
  });
  const steps: PlannedStep[] = [];
  for (let atMs = fromMs; atMs < endMs; ) {
    const step = { atMs, ...wishes.next().value };
    steps.push(step);
    // At least a millisecond: what one user does in one tab never shares an instant.
    if (step.beside) atMs += besideMs(step, canBeSlow);
    else atMs += Math.max(1, Math.round(logNormal(thinking, think.medianMs, think.p95Ms)));
  }
  return { name, steps };
}

/**
 * Returns how long after a step in another tab the next one follows. A slow request is met in the middle; where the app
 * cannot be slow, the next request follows within a millisecond, and the two overlap as far as the app lets them.
 */
function besideMs({ slowMs }: PlannedStep, canBeSlow: boolean): number {
  if (slowMs === undefined) return 0;
  return canBeSlow ? Math.floor(slowMs / 2) : 1;
}

type Wish = Omit<PlannedStep, 'atMs'>;

interface Chance {
  readonly choice: Random;
  readonly remove: Random;
  readonly tabs: Random;
}

/** Yields without end what one shopper does; the caller decides when. */
function* shopper(id: string, habits: Habits, chance: Chance): Generator<Wish, never> {
  let adds = 0;
  const add = (cart: string[]): Wish => {
    adds += 1;
    const token = `${id}.${adds}`;
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
  { can, mix = shopperMix, tabs, slowAtLogoutMs: slowMs }: Habits,
  chance: Chance,
): Generator<Wish, void> {
  const wanted = choices.filter(can).map(choice => [choice, mix[choice] ?? 0] as const);
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

/**
 * Adds in one tab, or in all at once: then only the last is waited for. Among those at once one tab also reads: an app
 * that writes its whole session back after a read loses what was added meanwhile.
 */
function* addInTabs(tabs: number, add: () => Wish, chance: Random): Generator<Wish, void> {
  const others = tabs > 1 && chance() < allTabsShare ? tabs - 1 : 0;
  for (let tab = 0; tab < others; tab += 1) {
    yield { ...add(), beside: true };
    if (tab === 0) yield { kind: 'read', beside: true };
  }
  yield add();
}

function remove(cart: string[], removing: Random): Wish | undefined {
  const token = pick(removing, cart);
  if (token === undefined) return undefined;
  cart.splice(cart.indexOf(token), 1);
  return { kind: 'remove', token };
}
