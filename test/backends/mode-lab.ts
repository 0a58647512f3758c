import { type Mode, type ModeName, modes } from '#src/modes.js';
import { stores, strategies } from '#src/sessions/registry.js';
import type { StoreCapabilities } from '#src/sessions/session-store.js';
import type { StrategyCapabilities } from '#src/sessions/session-strategy.js';
import { formatKeyRing, generateKeyRing } from '#src/shared/key-ring.js';
import { storeDescriptors } from '#src/shared/stores.js';
import { loaded } from '../sessions/loaded.js';
import { storeLabs } from '../sessions/store-labs.js';
import type { RedisServer } from '../sessions/with-redis.js';
import type { Settings } from './with-shop.js';

const strategyEntries = await loaded(strategies);
const storeEntries = await loaded(stores);

/** A mode with the server that it needs, and the environment that makes shops backends of one pool. */
export interface ModeLab {
  readonly mode: ModeName;
  /** Undefined if the session is in the memory of a backend. */
  readonly server: RedisServer | undefined;
  /** Starts a shop. All use one key ring, unless `keys` names another source. */
  settings(backend: string, keys?: Settings): Settings;
  stop(): Promise<void>;
}

/** Returns the promises of the strategy of a mode, on the store of that mode. */
export function promisedBy(mode: ModeName): StrategyCapabilities {
  return registered(strategyEntries, modes[mode].strategy).capabilities(promisedByStore(mode));
}

export function promisedByStore(mode: ModeName): StoreCapabilities {
  return registered(storeEntries, modes[mode].store).capabilities;
}

/** Starts the server of a mode. Call it in `before`, and its `stop` in `after`. */
export async function startModeLab(mode: ModeName): Promise<ModeLab> {
  const { store }: Mode = modes[mode];
  const { server, url, stop } = await registered(storeLabs, store)();
  const address: Settings = store === 'memory' ? {} : { [storeDescriptors[store].variable]: url ?? '' };
  const ownRing = { SHOP_SECRETS: formatKeyRing(generateKeyRing()) };
  return {
    mode,
    server,
    settings: (backend, keys = ownRing) => ({ HOLDFAST_MODE: mode, BACKEND_ID: backend, ...keys, ...address }),
    stop,
  };
}

function registered<Entry>(registry: Readonly<Record<string, Entry>>, name: string): Entry {
  const entry = registry[name];
  if (entry === undefined) throw new Error(`nothing is registered as ${name}`);
  return entry;
}
