import { type Setting, time } from './setting.js';

const group = 'Backends and load balancing:';
const queue = { group, option: 'queue', reload: 'live', reloadName: '--queue and --queue-timeout' } as const;

/** The settings of `settings.ts` that limit the requests that a backend takes at once. */
export const queueSettings = {
  maxconn: {
    type: 'number',
    format: { is: 'count', min: 0, max: 1_000_000 },
    default: 0,
    group,
    describe: 'most requests that a backend takes at once, where --backend names no maxconn of its own; 0: no limit',
    option: 'maxconn',
    reload: 'live',
  },
  queue: {
    type: 'number',
    format: { is: 'count', min: 0, max: 1_000_000 },
    default: 1000,
    ...queue,
    describe: 'most requests that wait while their backends are full (maxconn); then 503',
  },
  'queue-timeout': {
    type: 'string',
    format: time,
    default: '5s',
    ...queue,
    describe: 'how long a request waits while its backends are full; then 503',
  },
} as const satisfies Readonly<Record<string, Setting>>;
