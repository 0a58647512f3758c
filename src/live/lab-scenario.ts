import { modeNames } from '../modes.js';
import { parseScenario } from '../simulator/scenario/file.js';
import type { Scenario } from '../simulator/scenario/scenario.js';

/** Users arrive within this time. */
const arrivalsSeconds = 2;

/** Returns the system and the users of `holdfast live` without a scenario file. No fault strikes by itself. */
export function buildLabScenario(users: number, backends: number, seed: number): Scenario {
  return parseScenario(
    `name: live
why: Two systems under the same users. You break a server, and see what the users lose.
seed: ${seed}
modes: [${modeNames.join(', ')}]
system:
  backends: { count: ${backends}, spare: 1 }
  proxy: { health: { every: 500ms, timeout: 1s, fall: 2, rise: 1 }, policy: round-robin }
users:
  arrivals: { rate: ${users / arrivalsSeconds}/s, for: ${arrivalsSeconds}s, max-active: ${users} }
  think: { median: 900ms, p95: 2500ms }
  timeout: 2s
phases: { warmup: ${arrivalsSeconds}s, baseline: 2s, faults: 10s, recovery: 2s, quiesce: 200ms }
`,
    'live.yaml',
  );
}
