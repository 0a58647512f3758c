import type { StrategyEntry } from '../session-strategy.js';

/** The strategies by name. A strategy is loaded only when it is used. */
export const strategies: Readonly<Record<string, () => Promise<StrategyEntry>>> = {
  reference: async () => (await import('./reference.js')).reference,
  jwt: async () => (await import('./jwt.js')).jwt,
  sealed: async () => (await import('./sealed.js')).sealed,
};
