import { generateKeyRing } from '../key-ring.js';
import { type Mode, type ModeName, modes } from '../modes.js';
import { defaultLimits, type SessionData } from '../sessions/session.js';
import type { SessionStore, StoreCapabilities } from '../sessions/session-store.js';
import type { StrategyCapabilities, StrategyEntry } from '../sessions/session-strategy.js';
import { stores } from '../sessions/stores/registry.js';
import { strategies } from '../sessions/strategies/registry.js';

/** One mode as its parts declare it: what the strategy promises on that store, and how its cookie comes out. */
export interface ModeFacts extends Mode, StrategyCapabilities {
  readonly mode: ModeName;
  /** Of the cookie's value, for a user with a name of four letters: a session without data, and one with all that fits. */
  readonly cookieBytes: { readonly empty: number; readonly full: number };
}

export async function factsOf(mode: ModeName): Promise<ModeFacts> {
  const promised = await promisedBy(mode);
  const dataBytesMax = Math.min(defaultLimits.dataBytesMax, promised.dataBytesMax);
  const [empty, full] = await Promise.all([
    cookieBytesOf(mode, 'anna', {}),
    cookieBytesOf(mode, 'anna', dataOf(dataBytesMax)),
  ]);
  return { mode, ...modes[mode], ...promised, dataBytesMax, cookieBytes: { empty, full } };
}

/** What the strategy of a mode promises on the store of that mode. */
export async function promisedBy(mode: ModeName): Promise<StrategyCapabilities> {
  return (await strategyOf(mode)).capabilities(await promisedByStore(mode));
}

export async function promisedByStore(mode: ModeName): Promise<StoreCapabilities> {
  return (await registered(stores, modes[mode].store)).capabilities;
}

/**
 * The length of the cookie's value for a session just begun. By the strategy itself, not by a formula; what store stands
 * behind it makes no difference to the token, so it is one that needs no server.
 */
export async function cookieBytesOf(mode: ModeName, user: string, data: SessionData): Promise<number> {
  const ring = generateKeyRing();
  const strategy = (await strategyOf(mode)).open({
    store: await storeInProcess(),
    feed: undefined,
    keys: () => ring,
    limits: defaultLimits,
    now: Date.now,
  });
  try {
    return (await strategy.begin(user, data)).token.length;
  } finally {
    await strategy.close();
  }
}

async function storeInProcess(): Promise<SessionStore> {
  const { storeDeadlineMs: deadlineMs } = defaultLimits;
  return (await registered(stores, 'memory')).open({ url: undefined, deadlineMs, now: Date.now });
}

function strategyOf(mode: ModeName): Promise<StrategyEntry> {
  return registered(strategies, modes[mode].strategy);
}

/** Data whose JSON has so many bytes. */
function dataOf(bytes: number): SessionData {
  const around = JSON.stringify({ cart: '' }).length;
  return { cart: 'x'.repeat(bytes - around) };
}

async function registered<Entry>(
  registry: Readonly<Record<string, () => Promise<Entry>>>,
  name: string,
): Promise<Entry> {
  const load = registry[name];
  if (load === undefined) throw new Error(`nothing is registered as ${name}`);
  return load();
}
