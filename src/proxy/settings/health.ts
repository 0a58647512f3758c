import { type Setting, time } from './setting.js';

/** The fields that the settings of ejections share. */
const ejection = {
  group: 'Health and drain:',
  option: 'ejection',
  reload: 'live',
  reloadName: '--eject-*',
} as const;

/** The settings of `settings.ts` under "Health and drain:". */
export const healthSettings = {
  'health-path': {
    type: 'string',
    default: '/health',
    group: 'Health and drain:',
    describe: 'the path that health checks request',
    option: 'health',
    reload: 'live',
    reloadName: '--health-*',
  },
  'health-interval': {
    type: 'string',
    format: time,
    default: '2s',
    group: 'Health and drain:',
    describe: 'time between two health checks of a backend',
    option: 'health',
    reload: 'live',
    reloadName: '--health-*',
  },
  'health-timeout': {
    type: 'string',
    format: time,
    default: '2s',
    group: 'Health and drain:',
    describe: 'time limit of a health check',
    option: 'health',
    reload: 'live',
    reloadName: '--health-*',
  },
  'health-fall': {
    type: 'number',
    format: { is: 'count', min: 1, max: 100 },
    default: 3,
    group: 'Health and drain:',
    describe: 'failed checks in a row after which a backend is down',
    option: 'health',
    reload: 'live',
    reloadName: '--health-*',
  },
  'health-rise': {
    type: 'number',
    format: { is: 'count', min: 1, max: 100 },
    default: 2,
    group: 'Health and drain:',
    describe: 'good checks in a row after which it is up again',
    option: 'health',
    reload: 'live',
    reloadName: '--health-*',
  },
  'eject-after': {
    type: 'number',
    format: { is: 'count', min: 0, max: 1000 },
    default: 5,
    ...ejection,
    describe:
      'failures in a row (5xx, time-out, broken connection) after which a backend takes no new browsers; 0: off',
  },
  'eject-time': {
    type: 'string',
    format: time,
    default: '10s',
    ...ejection,
    describe: 'how long the first ejection lasts; the second lasts twice as long, and so on',
  },
  'eject-time-max': {
    type: 'string',
    format: time,
    default: '300s',
    ...ejection,
    describe: 'how long an ejection lasts at most',
  },
  drain: {
    type: 'string',
    format: time,
    group: 'Health and drain:',
    describe: 'how long a drain keeps bound browsers (300s; without affinity 30s)',
    option: 'drainMs',
    reload: 'live',
  },
} as const satisfies Readonly<Record<string, Setting>>;
