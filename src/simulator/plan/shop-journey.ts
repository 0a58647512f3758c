import type { ActivityMix, Scenario } from '../scenario/scenario.js';
import type { PlannedStep, PlannedUser } from './planned-user.js';
import { logNormal, pick, pickWeighted, type Random, randomStream } from './random.js';

type Choice = keyof ActivityMix;

const choices: readonly Choice[] = ['add', 'read', 'whoami', 'remove', 'logout'];

/** How often a shopper does what while logged in, if the scenario has no mix. */
const shopperMix: ActivityMix = { add: 50, read: 25, whoami: 10, remove: 8, logout: 4 };

/** In a browser with several tabs, the share of adds that happen in all tabs at once. */
const allTabsShare = 0.3;

export interface Habits extends Pick<Scenario['users'], 'think' | 'mix' | 'tabs' | 'slowAtLogoutMs'> {
  /** Whether the app has a request for this kind of step. */
  can(kind: Choice): boolean;
  /** Whether the app can be asked to delay an add. */
  readonly canBeSlow: boolean;
}

/** One user of the plan. Random choices and tokens depend on its id, and not on its name. */
export interface Shopper {
  readonly id: string;
  readonly name: string;
}

/** Plans what one shopper does between two times. Pure. */
export function planShopper(
  shopper: Shopper,
  { fromMs, endMs }: { readonly fromMs: number; readonly endMs: number },
  habits: Habits,
  seed: number,
): PlannedUser {
  const steps: PlannedStep[] = [];
  for (const step of generateSteps(shopper, fromMs, habits, seed)) {
    if (step.atMs >= endMs) break;
    steps.push(step);
  }
  return { name: shopper.name, steps };
}

/**
 * Yields what one shopper does from a time on, without end: it logs in, adds something, and then makes random choices.
 * Before a logout it reads the cart, so that every write is seen once more. Right after a logout it logs in again. It
 * removes only what it added since the latest login, because a new session begins with an empty cart. Pure; each
 * purpose draws from its own stream.
 */
export function* generateSteps(
  { id }: Pick<Shopper, 'id'>,
  fromMs: number,
  habits: Habits,
  seed: number,
): Generator<PlannedStep, never> {
  const { think, canBeSlow } = habits;
  const thinkTime = randomStream(seed, `${id}/think`);
  const wishes = generateWishes(id, habits, {
    choice: randomStream(seed, `${id}/choice`),
    remove: randomStream(seed, `${id}/remove`),
    tabs: randomStream(seed, `${id}/tabs`),
  });
  for (let atMs = fromMs; ; ) {
    const step = { atMs, ...wishes.next().value };
    yield step;
    // At least a millisecond, so that two steps of one user in one tab never share a time.
    if (step.beside) atMs += besideMs(step, canBeSlow);
    else atMs += Math.max(1, Math.round(logNormal(thinkTime, think.medianMs, think.p95Ms)));
  }
}

/**
 * Returns how long after a step in another tab the next step follows. It falls into the middle of a slow request. If
 * the app cannot be slow, the next request follows within a millisecond, and the two may overlap.
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

/** Yields the choices of one shopper, without end. The caller decides when to stop. */
function* generateWishes(id: string, habits: Habits, chance: Chance): Generator<Wish, never> {
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
    yield* generateSession(cart, add, habits, chance);
  }
}

function* generateSession(
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
 * Yields an add in one tab, or one add in each tab at once. Only the last of them is waited for. One of the tabs also
 * reads: an app that writes back its whole session after a read then loses the adds of the other tabs.
 */
function* addInTabs(tabs: number, add: () => Wish, chance: Random): Generator<Wish, void> {
  const others = tabs > 1 && chance() < allTabsShare ? tabs - 1 : 0;
  for (let tab = 0; tab < others; tab += 1) {
    yield { ...add(), beside: true };
    if (tab === 0) yield { kind: 'read', beside: true };
  }
  yield add();
}

function remove(cart: string[], random: Random): Wish | undefined {
  const token = pick(random, cart);
  if (token === undefined) return undefined;
  cart.splice(cart.indexOf(token), 1);
  return { kind: 'remove', token };
}
