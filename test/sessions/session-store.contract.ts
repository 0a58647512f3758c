import { storeContract } from '#src/sessions/contract/store-contract.js';
import type { StoreEntry } from '#src/sessions/session-store.js';
import type { StoreLab } from './store-labs.js';

/** Runs the public contract of stores. Without `outages`, the server is never stopped. */
export function sessionStoreContract(
  entry: StoreEntry,
  startLab: () => Promise<StoreLab>,
  { outages = true }: { readonly outages?: boolean } = {},
): void {
  storeContract({ describe, it, before, after, beforeEach, afterEach }, { entry, startLab, outages });
}
