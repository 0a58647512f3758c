import { type Setting, time } from './setting.js';

const group = 'Health and drain:';
/** The fields that the settings of health checks share. */
const health = { group, option: 'health', reload: 'live', reloadName: '--health-*' } as const;
/** The fields that the settings of ejections share. */
const ejection = { group, option: 'ejection', reload: 'live', reloadName: '--eject-*' } as const;

/** Settings of health checks, ejections and drains. */
export const healthSettings = {
  'health-path': {
    type: 'string',
    default: '/health',
    ...health,
    describe: 'the path that health checks request',
  },
  'health-interval': {
    type: 'string',
    format: time,
    default: '2s',
    ...health,
    describe: 'time between two health checks of a backend',
  },
  'health-timeout': {
    type: 'string',
    format: time,
    default: '2s',
    ...health,
    describe: 'time limit of a health check',
  },
  'health-fall': {
    type: 'number',
    format: { is: 'count', min: 1, max: 100 },
    default: 3,
    ...health,
    describe: 'failed checks in a row after which a backend is down',
  },
  'health-rise': {
    type: 'number',
    format: { is: 'count', min: 1, max: 100 },
    default: 2,
    ...health,
    describe: 'good checks in a row after which it is up again',
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
    group,
    describe: 'how long a drain keeps bound browsers (300s; without affinity 30s)',
    option: 'drainMs',
    reload: 'live',
  },
} as const satisfies Readonly<Record<string, Setting>>;
