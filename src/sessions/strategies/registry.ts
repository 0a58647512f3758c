import type { StrategyEntry } from '../session-strategy.js';
import { reference } from './reference.js';

export const strategies: Record<string, StrategyEntry> = {
  reference,
};
