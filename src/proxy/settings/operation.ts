import type { Setting } from './setting.js';

/** Where the admin API and the answers for probes are. A part of `settings.ts`. */
export const adminSettings = {
  admin: {
    type: 'string',
    group: 'Where:',
    describe: 'admin API: HOST:PORT, unix:PATH, or off (default 127.0.0.1:8081)',
    option: 'admin',
    reload: 'restart',
    reloadName: '--admin',
    chosenByLab: true,
  },
  'admin-port': {
    type: 'number',
    format: { is: 'count', min: 0, max: 65_535 },
    group: 'Where:',
    describe: 'short for --admin 127.0.0.1:PORT',
    option: 'admin',
    reload: 'restart',
    reloadName: '--admin',
    chosenByLab: true,
  },
  'admin-token-file': {
    type: 'string',
    path: true,
    group: 'Where:',
    describe: 'file of the bearer token that the admin API asks for; needed unless only this machine can reach it',
    option: 'admin',
    reload: 'restart',
    reloadName: '--admin',
    chosenByLab: true,
  },
  'health-listen': {
    type: 'string',
    group: 'Where:',
    describe: 'HOST:PORT for GET /live and /ready alone, for probes of an orchestrator (default: none)',
    option: 'healthListen',
    reload: 'restart',
  },
} as const satisfies Readonly<Record<string, Setting>>;

/** How the proxy is run. A part of `settings.ts`. */
export const operationSettings = {
  grace: {
    type: 'string',
    format: { is: 'duration', minMs: 0, maxMs: 3_600_000 },
    default: '25s',
    group: 'Operation:',
    describe: 'at SIGTERM: how long requests in flight may take, and over what time WebSockets are closed',
    option: 'graceMs',
    reload: 'live',
  },
} as const satisfies Readonly<Record<string, Setting>>;

/** Further sources of backends. A part of `settings.ts`. */
export const discoverySettings = {
  'backends-file': {
    type: 'string',
    path: true,
    group: 'Backends and load balancing:',
    describe: 'a YAML list of backends, each as for --backend; a change of the file reloads it',
    option: 'backends',
    reload: 'special',
    chosenByLab: true,
  },
  resolve: {
    type: 'string',
    format: { is: 'duration', minMs: 0, maxMs: 3_600_000 },
    default: '0',
    group: 'Backends and load balancing:',
    describe: 'ask DNS this often for the addresses of http:// backends, each a backend; also srv:NAME; 0: never',
    option: 'backends',
    reload: 'special',
    chosenByLab: true,
  },
  resolver: {
    type: 'string',
    group: 'Backends and load balancing:',
    describe: 'HOST:PORT of the DNS server for --resolve (default: those of this machine)',
    option: 'backends',
    reload: 'special',
    chosenByLab: true,
  },
} as const satisfies Readonly<Record<string, Setting>>;
