import type { EngineFactory } from '#src/proxy/exchange.js';
import { itKeepsLimits } from './engine-limits.contract.js';
import { itCarriesMessages } from './engine-messages.contract.js';
import { itReportsOutcomes } from './engine-outcomes.contract.js';

/** What every engine promises to the heart, to clients and to backends. */
export function itIsAnEngine(make: EngineFactory): void {
  itCarriesMessages(make);
  itReportsOutcomes(make);
  itKeepsLimits(make);
}
