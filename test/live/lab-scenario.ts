import { parseScenario } from '#src/simulator/scenario/file.js';
import type { Scenario } from '#src/simulator/scenario/scenario.js';

/** A small system whose users do something ten times a second. `more`: further keys, as a scenario file has them. */
export function labScenario(more: object = {}): Scenario {
  const written = {
    name: 'live',
    why: 'The live lab.',
    modes: ['all'],
    system: {
      backends: { count: 2 },
      proxy: { health: { every: '200ms', timeout: '1500ms' }, drain: '200ms' },
    },
    users: {
      arrivals: { rate: '10/s', for: '1s' },
      think: { median: '100ms', p95: '200ms' },
      // Other tests may delay every process for more than a second.
      timeout: '3s',
    },
    ...more,
  };
  return parseScenario(JSON.stringify(written), 'live.yaml');
}
