import type { StrategyEntry } from '../session-strategy.js';

/** Each is loaded when it is the one. */
export const strategies: Readonly<Record<string, () => Promise<StrategyEntry>>> = {
  reference: async () => (await import('./reference.js')).reference,
  jwt: async () => (await import('./jwt.js')).jwt,
  sealed: async () => (await import('./sealed.js')).sealed,
};
