import { ScenarioError } from '../errors.js';
import type { OperationKind } from '../history/records.js';
import { stepOf } from '../scenario/journey/mapping.js';
import type { ActivityMix, FaultSpec, Scenario } from '../scenario/scenario.js';
import type { PlannedStep, PlannedUser } from './planned-user.js';
import { drawExponential, logNormal, pick, pickWeighted, type Random, randomStream } from './random.js';

/**
 * All random choices of a run, made before it: the same scenario and seed give the same plan, byte for byte. The plan
 * fixes what users do and when, and what breaks when. It does not fix how requests interleave in the servers.
 */
export interface Plan {
  readonly scenario: string;
  readonly seed: number;
  readonly users: readonly PlannedUser[];
  /** The faults with their targets resolved: `backend-any` is replaced. `store` remains, since it depends on the
   * mode. */
  readonly faults: readonly FaultSpec[];
}

export const usersMax = 100_000;
export const stepsMax = 2_000_000;

/** Makes the plan of a run. Pure. Throws `ScenarioError` when it would hold more than `usersMax` users or `stepsMax`
 * steps. */
export function makePlan(scenario: Scenario, seed: number): Plan {
  const { plan } = scenario.users;
  const faults = planFaults(scenario, seed);
  return { scenario: scenario.name, seed, users: plan ?? planUsers(scenario, seed), faults };
}

function planUsers(scenario: Scenario, seed: number): PlannedUser[] {
  const users: PlannedUser[] = [];
  let steps = 0;
  const { names, arrivals } = scenario.users;
  const habits = habitsOf(scenario);
  const endMs = planDurationMs(scenario);
  const times = arrivalTimes(arrivals, endMs, seed);
  refuseAbove(times.length, usersMax, 'users', 'users.arrivals.rate, users.arrivals.for or users.arrivals.max-active');
  if (Array.isArray(names) && times.length > names.length)
    throw new ScenarioError(`users.names: ${describeTooFewNames(names.length, times.length)}.`);
  for (const [index, atMs] of times.entries()) {
    const id = `user-${index + 1}`;
    const user = planShopper({ id, name: userName(names, index + 1) }, { fromMs: atMs, endMs }, habits, seed);
    steps += user.steps.length;
    refuseAbove(steps, stepsMax, 'steps', 'users.arrivals.rate or users.arrivals.for, or raise users.think.median');
    users.push(user);
  }
  return users;
}

/** Returns what the users of a scenario can do, and how often they do it. */
export function habitsOf({ users }: Pick<Scenario, 'users'>): Habits {
  const { journey } = users;
  const can = (kind: OperationKind) => journey === 'shop' || stepOf(journey, kind) !== undefined;
  return { ...users, can, canBeSlow: journey === 'shop' };
}

/** Returns the time from the start of the warmup to the end of the recovery. Users begin nothing later: quiescence
 * follows. */
export function planDurationMs({ phases }: Scenario): number {
  return phases.warmupMs + phases.baselineMs + phases.faultsMs + phases.recoveryMs;
}

/** The form of user names in scenario files and plans. */
export const userNamePattern = /^[A-Za-z0-9][\w.@+-]{0,63}$/;

/** Returns the name of the user with this number, from 1. */
export function userName(names: Scenario['users']['names'], number: number): string {
  if (names === undefined) return `user-${number}`;
  return typeof names === 'string' ? names.replace('{n}', String(number)) : (names[number - 1] ?? '');
}

/** Says that more users arrive than there are names. */
export function describeTooFewNames(names: number, users: number): string {
  return `found ${names} names for ${users} users that come, expected one for each: add names, or write max-active: ${names} under users.arrivals`;
}

/**
 * Returns when users arrive, before `endMs`. They stay until then, so at most `maxActive` users ever arrive. It stops
 * at one more than `usersMax`.
 */
export function arrivalTimes(arrivals: Scenario['users']['arrivals'], endMs: number, seed: number): number[] {
  const { ratePerSecond, forMs, process, maxActive } = arrivals;
  const random = randomStream(seed, 'arrivals');
  const meanGapMs = 1000 / ratePerSecond;
  const nextGapMs = process === 'poisson' ? () => drawExponential(random, meanGapMs) : () => meanGapMs;
  const untilMs = Math.min(forMs, endMs);
  const most = Math.min(maxActive, usersMax + 1);
  const times: number[] = [];
  for (let atMs = process === 'poisson' ? nextGapMs() : 0; atMs < untilMs && times.length < most; ) {
    times.push(Math.floor(atMs));
    atMs += nextGapMs();
  }
  return times;
}

function refuseAbove(count: number, max: number, what: string, lower: string): void {
  if (count <= max) return;
  throw new ScenarioError(
    `the plan holds more than ${max.toLocaleString('en')} ${what}, which is the limit: lower ${lower}.`,
  );
}

/** Returns the faults of a scenario. The seed chooses each `backend-any`. */
export function planFaults(scenario: Scenario, seed: number): FaultSpec[] {
  return scenario.faults.map(fault => {
    if (!fault.target.includes('backend-any')) return fault;
    const chosen = drawBackend(scenario, randomStream(seed, `fault/${fault.id}/target`));
    return { ...fault, target: fault.target.replace('backend-any', chosen) };
  });
}

function drawBackend({ system }: Scenario, random: Random): string {
  const numbers = Array.from({ length: system.backends.count }, (_, index) => index + 1);
  return `backend-${pick(random, numbers) ?? 1}`;
}

type Choice = keyof ActivityMix;

const choices: readonly Choice[] = ['add', 'read', 'whoami', 'remove', 'logout'];

/** Weights of the steps of a logged-in shopper. Used if the scenario has no mix. */
const shopperMix: ActivityMix = { add: 50, read: 25, whoami: 10, remove: 8, logout: 4 };

/** In a browser with several tabs, the share of adds that happen in all tabs at once. */
const allTabsShare = 0.3;

interface Habits extends Pick<Scenario['users'], 'think' | 'mix' | 'tabs' | 'slowAtLogoutMs'> {
  /** Whether the app has a request for this kind of step. */
  can(kind: Choice): boolean;
  /** Whether the app can be asked to delay an add. */
  readonly canBeSlow: boolean;
}

/** One user of the plan. Random choices and tokens depend on its id, and not on its name. */
interface Shopper {
  readonly id: string;
  readonly name: string;
}

/** Plans what one shopper does between two times. Pure. */
function planShopper(
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
