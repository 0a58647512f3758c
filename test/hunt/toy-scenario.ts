import { parseScenario } from '#src/simulator/scenario/file.js';

export const toyScenario = parseScenario(
  `name: toy
why: To be hunted in.
seed: 1
modes: [redis, sticky]
system: { backends: { count: 3 } }
users: { arrivals: { rate: 40/s, for: 2s }, think: { median: 100ms, p95: 300ms } }
phases: { warmup: 500ms, baseline: 1500ms, faults: 3s, recovery: 2s, quiesce: 300ms }
faults:
  - { id: kill, at: 1s, do: kill, target: backend-2, for: 800ms }
expect:
  any: [users.identitySwapped == 0, requests.failed < 2 %, warn: writes.stale == 0, writes.lost during kill == 0]
  redis: [users.loggedOut == 0, writes.lost <= 0]
  sticky: [users.loggedOut > 0]
`,
  'toy.yaml',
);
