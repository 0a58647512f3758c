import { routingPolicies } from '../routing-policies/registry.js';
import { hourMs, type Setting, time } from './setting.js';

const group = 'Backends and load balancing:';
/** The fields that the settings of the queue share. */
const queue = { group, option: 'queue', reload: 'live', reloadName: '--queue and --queue-timeout' } as const;

/** Settings of the backends, and of the choice among them. */
export const backendSettings = {
  backend: {
    type: 'string',
    list: true,
    group,
    describe:
      'origin of one of your backends, with or without a name and limits: red=http://…,weight=3,maxconn=10,response-timeout=5min; repeatable',
    option: 'backends',
    reload: 'special',
    chosenByLab: true,
  },
  'backends-file': {
    type: 'string',
    path: true,
    group,
    describe: 'a YAML list of backends, each as for --backend; a change of the file reloads it',
    option: 'backends',
    reload: 'special',
    chosenByLab: true,
  },
  resolve: {
    type: 'string',
    format: { is: 'duration', minMs: 0, maxMs: hourMs },
    default: '0',
    group,
    describe: 'ask DNS this often for the addresses of http:// backends, each a backend; also srv:NAME; 0: never',
    option: 'backends',
    reload: 'special',
    chosenByLab: true,
  },
  resolver: {
    type: 'string',
    group,
    describe: 'HOST:PORT of the DNS server for --resolve (default: those of this machine)',
    option: 'backends',
    reload: 'special',
    chosenByLab: true,
  },
  policy: {
    type: 'string',
    default: 'round-robin',
    group,
    describe: Object.keys(routingPolicies).join(' | '),
    option: 'policy',
    reload: 'live',
  },
  'hash-key': {
    type: 'string',
    default: 'address',
    group,
    describe: 'what "rendezvous" hashes: address | header:<name> | cookie:<name>',
    option: 'hashKey',
    reload: 'live',
  },
  'slow-start': {
    type: 'string',
    format: { is: 'duration', minMs: 0, maxMs: hourMs },
    default: '30s',
    group,
    describe: 'time in which a new or recovered backend grows to its full share; 0: at once',
    option: 'slowStartMs',
    reload: 'live',
  },
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
  'name-backends': {
    type: 'boolean',
    default: false,
    group,
    describe: 'each answer says which backend gave it (holdfast-backend, holdfast-incarnation)',
    option: 'namesBackends',
    reload: 'live',
  },
} as const satisfies Readonly<Record<string, Setting>>;
