import { engines } from '../engines/registry.js';
import type { Setting } from './setting.js';

const group = 'Where:';

/** Settings of the sockets on which the proxy listens, of its engine and its processes. */
export const whereSettings = {
  host: {
    type: 'string',
    default: '127.0.0.1',
    group,
    describe: 'address to listen on',
    option: 'host',
    reload: 'restart',
    chosenByLab: true,
  },
  port: {
    type: 'number',
    format: { is: 'count', min: 0, max: 65_535 },
    default: 8080,
    group,
    describe: '0 takes a free one',
    option: 'port',
    reload: 'restart',
    chosenByLab: true,
  },
  admin: {
    type: 'string',
    group,
    describe: 'admin API: HOST:PORT, unix:PATH, or off (default 127.0.0.1:8081)',
    option: 'admin',
    reload: 'restart',
    reloadName: '--admin',
    chosenByLab: true,
  },
  'admin-port': {
    type: 'number',
    format: { is: 'count', min: 0, max: 65_535 },
    group,
    describe: 'short for --admin 127.0.0.1:PORT',
    option: 'admin',
    reload: 'restart',
    reloadName: '--admin',
    chosenByLab: true,
  },
  'admin-token-file': {
    type: 'string',
    path: true,
    group,
    describe: 'file of the bearer token that the admin API requires; needed unless only this machine can reach it',
    option: 'admin',
    reload: 'restart',
    reloadName: '--admin',
    chosenByLab: true,
  },
  'health-listen': {
    type: 'string',
    group,
    describe: 'HOST:PORT for GET /live and /ready alone, for probes of an orchestrator (default: none)',
    option: 'healthListen',
    reload: 'restart',
  },
  engine: {
    type: 'string',
    default: 'wire',
    group,
    describe: Object.keys(engines).join(' | '),
    option: 'engine',
    reload: 'restart',
  },
  workers: {
    type: 'string',
    default: '1',
    group,
    describe: 'processes that serve: a number, or auto for one on each core; 1 is this process itself',
    option: 'workers',
    reload: 'restart',
  },
} as const satisfies Readonly<Record<string, Setting>>;
