import type { EngineFactory } from '#src/proxy/exchange.js';
import type { Shortfalls } from '../shortfalls.js';
import { itReportsItsAnswers } from './engine-answers.contract.js';
import { itCarriesBodies } from './engine-bodies.contract.js';
import { itTellsOfClients } from './engine-clients.contract.js';
import { itKeepsAnswersApart } from './engine-desync.contract.js';
import { itAppliesBackPressure } from './engine-flow.contract.js';
import { itAnswersHalfClosedClients } from './engine-half-close.contract.js';
import { itCarriesHeads } from './engine-heads.contract.js';
import { itKeepsLimits } from './engine-limits.contract.js';
import { itReportsOutcomes } from './engine-outcomes.contract.js';
import { itEnforcesWaits } from './engine-patience.contract.js';
import { itReleasesMemory } from './engine-release.contract.js';
import { itForwardsNothingAmbiguous } from './engine-smuggling.contract.js';

/** Tests what every engine promises to the dispatcher, to clients and to backends. */
export function itIsAnEngine(make: EngineFactory, shortfalls: Shortfalls): void {
  itCarriesHeads(make, shortfalls);
  itTellsOfClients(make);
  itCarriesBodies(make);
  itAppliesBackPressure(make);
  itReportsOutcomes(make);
  itReportsItsAnswers(make);
  itAnswersHalfClosedClients(make);
  itKeepsLimits(make);
  itEnforcesWaits(make);
  itReleasesMemory(make);
  itForwardsNothingAmbiguous(make, shortfalls);
  itKeepsAnswersApart(make, shortfalls);
}
