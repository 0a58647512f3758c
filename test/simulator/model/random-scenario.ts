import type { ModeName } from '#src/modes.js';
import { pick, type Random, randomStream } from '#src/simulator/plan/random.js';
import { parseScenario } from '#src/simulator/scenario/file.js';
import type { FaultSpec, Scenario } from '#src/simulator/scenario/scenario.js';

/** A small scenario: six users for two seconds. */
const base = parseScenario(
  `name: random
why: Faults by chance, at moments by chance, none of which may cost a session or a write.
modes: [all]
system:
  backends: { count: 3, spare: 1 }
  proxy: { count: 2, health: { every: 100ms, timeout: 100ms, fall: 2, rise: 1 }, policy: round-robin, drain: 100ms }
  redis: { persistence: aof }
users:
  arrivals: { rate: 20/s, for: 300ms }
  think: { median: 60ms, p95: 200ms }
  timeout: 700ms
phases: { warmup: 50ms, baseline: 450ms, faults: 900ms, recovery: 500ms, quiesce: 50ms }
expect: { any: [writes.lost == 0] }
`,
  'random.yaml',
);

type Choice = (random: Random, backend: string) => Pick<FaultSpec, 'do' | 'target' | 'options'>;

/** Faults that cost no session, wherever sessions are kept. */
const harmless: readonly Choice[] = [
  (_random, backend) => ({ do: 'block', target: backend, options: { stall: '80ms', every: '200ms' } }),
  (_random, backend) => ({ do: 'errors', target: backend, options: { percent: 30 } }),
  (_random, backend) => ({ do: 'slow', target: `proxy-1->${backend}`, options: { latency: '60ms', jitter: '20ms' } }),
  (_random, backend) => ({ do: 'throttle', target: `proxy-2->${backend}`, options: { rate: '10KB/s' } }),
  (random, backend) => ({
    do: 'reset',
    target: `proxy-1->${backend}`,
    options: { bytes: pick(random, [300, 360, 900]) },
  }),
  () => ({ do: 'scale-out', target: 'backend-4' }),
  random => ({ do: pick(random, ['kill', 'hang']) ?? 'kill', target: 'proxy-1' }),
];

/** Faults that cost no session if every backend can serve every user. */
const harmlessToShared: readonly Choice[] = [
  (random, backend) => ({ do: pick(random, ['kill', 'hang', 'drain', 'scale-in']) ?? 'kill', target: backend }),
  (_random, backend) => ({ do: 'flap', target: backend, options: { up: '200ms', down: '50ms' } }),
  (random, backend) => ({
    do: 'cut-link',
    target: `proxy-2->${backend}`,
    options: { direction: pick(random, ['both', 'forward', 'back']) },
  }),
];

/** Faults of the store that lose nothing. */
const harmlessToStore: Readonly<Partial<Record<ModeName, readonly Choice[]>>> = {
  redis: [
    random => ({ do: pick(random, ['kill', 'hang', 'stop']) ?? 'kill', target: 'redis' }),
    (_random, backend) => ({ do: 'cut-link', target: `${backend}->redis` }),
  ],
  memcached: [
    () => ({ do: 'hang', target: 'memcached' }),
    (_random, backend) => ({ do: 'cut-link', target: `${backend}->memcached` }),
  ],
  postgres: [random => ({ do: pick(random, ['kill', 'hang']) ?? 'kill', target: 'postgres' })],
  jwt: [() => ({ do: 'hang', target: 'redis' }), () => ({ do: 'rotate-secrets', target: 'secrets' })],
  sealed: [() => ({ do: 'kill', target: 'redis' }), () => ({ do: 'rotate-secrets', target: 'secrets' })],
};

/** Returns a small scenario with one to three faults, none of which may cost a session in this mode. The same seed
 * gives the same scenario. */
export function randomScenario(mode: ModeName, seed: number): Scenario {
  const random = randomStream(seed, `random-scenario/${mode}`);
  const shared = mode === 'sticky' ? [] : [...harmlessToShared, ...(harmlessToStore[mode] ?? [])];
  const backends = ['backend-1', 'backend-2'];
  const faults: FaultSpec[] = [];
  const count = 1 + Math.floor(3 * random());
  for (let i = 0; i < count; i += 1) {
    const choose = pick(random, [...harmless, ...shared]);
    const chosen = choose?.(random, backends[i % 2] ?? 'backend-1');
    if (chosen === undefined || faults.some(({ target }) => shareMember(target, chosen.target))) continue;
    const trigger = { atMs: Math.floor(500 * random()) };
    faults.push({ id: `fault-${i + 1}`, trigger, ...chosen, forMs: 50 + Math.floor(300 * random()) });
  }
  return { ...base, seed, faults };
}

/** Whether two targets share a member: their faults would depend on each other. */
function shareMember(one: string, other: string): boolean {
  const ends = one.split('->');
  return other.split('->').some(end => ends.includes(end));
}
