import { routingPolicies } from '../routing-policies.js';
import { hourMs, type Setting, time } from './setting.js';

/* The settings that decide which backend gets a request. */

const backendsHeading = { group: 'Backends and load balancing:' } as const;
/** The fields that the settings of the queue share. */
const queue = {
  ...backendsHeading,
  option: 'queue',
  reload: 'live',
  reloadName: '--queue and --queue-timeout',
} as const;

/** Settings of the backends, and of the choice among them. */
export const backendSettings = {
  backend: {
    type: 'string',
    list: true,
    ...backendsHeading,
    describe:
      'origin of one of your backends, with or without a name and limits: red=http://…,weight=3,maxconn=10,response-timeout=5min; repeatable',
    option: 'backends',
    reload: 'special',
    chosenByLab: true,
  },
  'backends-file': {
    type: 'string',
    path: true,
    ...backendsHeading,
    describe: 'a YAML list of backends, each as for --backend; a change of the file reloads it',
    option: 'backends',
    reload: 'special',
    chosenByLab: true,
  },
  resolve: {
    type: 'string',
    format: { is: 'duration', minMs: 0, maxMs: hourMs },
    default: '0',
    ...backendsHeading,
    describe: 'ask DNS this often for the addresses of http:// backends, each a backend; also srv:NAME; 0: never',
    option: 'backends',
    reload: 'special',
    chosenByLab: true,
  },
  resolver: {
    type: 'string',
    ...backendsHeading,
    describe: 'HOST:PORT of the DNS server for --resolve (default: those of this machine)',
    option: 'backends',
    reload: 'special',
    chosenByLab: true,
  },
  policy: {
    type: 'string',
    default: 'round-robin',
    ...backendsHeading,
    describe: Object.keys(routingPolicies).join(' | '),
    option: 'policy',
    reload: 'live',
  },
  'hash-key': {
    type: 'string',
    default: 'address',
    ...backendsHeading,
    describe: 'what "rendezvous" hashes: address | header:<name> | cookie:<name>',
    option: 'hashKey',
    reload: 'live',
  },
  'slow-start': {
    type: 'string',
    format: { is: 'duration', minMs: 0, maxMs: hourMs },
    default: '30s',
    ...backendsHeading,
    describe: 'time in which a new or recovered backend grows to its full share; 0: at once',
    option: 'slowStartMs',
    reload: 'live',
  },
  maxconn: {
    type: 'number',
    format: { is: 'count', min: 0, max: 1_000_000 },
    default: 0,
    ...backendsHeading,
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
  'name-backends': {
    type: 'boolean',
    default: false,
    ...backendsHeading,
    describe: 'each answer says which backend gave it (holdfast-backend, holdfast-incarnation)',
    option: 'namesBackends',
    reload: 'live',
  },
} as const satisfies Readonly<Record<string, Setting>>;

const affinityHeading = { group: 'Affinity:' } as const;
/** The fields that settings of the affinity share. */
const affinity = { ...affinityHeading, option: 'affinity', reload: 'special' } as const;

/** Settings of session affinity. */
export const affinitySettings = {
  mode: {
    type: 'string',
    default: 'sticky',
    ...affinityHeading,
    describe: 'how sessions are kept',
    chosenByLab: true,
  },
  affinity: {
    type: 'string',
    choices: ['on', 'off'],
    ...affinity,
    describe: 'bind each browser to one backend, or not; default: as the mode says',
  },
  'on-lost-affinity': {
    type: 'string',
    choices: ['rebind', 'temporary', 'strict'],
    default: 'rebind',
    ...affinity,
    describe: 'when the bound backend is gone: use another one for good, for now only, or answer 503',
  },
  'affinity-idle': {
    type: 'string',
    format: time,
    default: '30min',
    ...affinity,
    describe: 'a binding ends when its browser was not seen for this long',
  },
  'affinity-absolute': {
    type: 'string',
    format: time,
    default: '8h',
    ...affinity,
    describe: 'a binding ends after this long, however busy its browser is',
  },
  'affinity-cookie': {
    type: 'string',
    ...affinity,
    describe: "learn bindings from this session cookie of the app, in place of the proxy's own cookie",
  },
  'affinity-header': {
    type: 'string',
    ...affinity,
    describe: 'learn bindings from this header of answers and requests, for API and mobile clients',
  },
  'secrets-file': {
    type: 'string',
    path: true,
    ...affinity,
    describe:
      'key ring of the affinity cookie, id:hex,id:hex, newest first (or HOLDFAST_SECRETS); shared by all proxies',
  },
  pool: {
    type: 'string',
    default: '',
    ...affinity,
    describe: 'name of this pool, part of the cookie name',
  },
  'same-site': {
    type: 'string',
    choices: ['Lax', 'Strict', 'None'],
    default: 'Lax',
    ...affinity,
    describe: 'the SameSite attribute of the affinity cookie',
  },
} as const satisfies Readonly<Record<string, Setting>>;

const healthHeading = { group: 'Health and drain:' } as const;
/** The fields that the settings of health checks share. */
const health = { ...healthHeading, option: 'health', reload: 'live', reloadName: '--health-*' } as const;
/** The fields that the settings of ejections share. */
const ejection = { ...healthHeading, option: 'ejection', reload: 'live', reloadName: '--eject-*' } as const;

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
    ...healthHeading,
    describe: 'how long a drain keeps bound browsers (300s; without affinity 30s)',
    option: 'drainMs',
    reload: 'live',
  },
} as const satisfies Readonly<Record<string, Setting>>;
