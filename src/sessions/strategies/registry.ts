import type { StrategyEntry } from '../session-strategy.js';
import { jwt } from './jwt.js';
import { reference } from './reference.js';
import { sealed } from './sealed.js';

export const strategies: Record<string, StrategyEntry> = {
  reference,
  jwt,
  sealed,
};
