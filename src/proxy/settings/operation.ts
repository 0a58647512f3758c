import { requestIdModes } from '../telemetry/request-id.js';
import { hourMs, type Setting } from './setting.js';

const group = 'Operation:';

/** Settings of the configuration file, the shutdown and the log. */
export const operationSettings = {
  config: {
    type: 'string',
    path: true,
    group,
    describe: 'a YAML file with these flags as keys; SIGHUP reads it again. Typed flags override it',
    chosenByLab: true,
  },
  grace: {
    type: 'string',
    format: { is: 'duration', minMs: 0, maxMs: hourMs },
    default: '25s',
    group,
    describe: 'at SIGTERM: time for requests in flight to finish, over which WebSockets are closed one by one',
    option: 'graceMs',
    reload: 'live',
  },
  'shutdown-delay': {
    type: 'string',
    format: { is: 'duration', minMs: 0, maxMs: hourMs },
    default: '0',
    group,
    describe: 'at SIGTERM: time in which the proxy still accepts, and /ready says that it closes',
    option: 'shutdownDelayMs',
    reload: 'live',
  },
  'request-id': {
    type: 'string',
    choices: requestIdModes,
    default: 'off',
    group,
    describe: 'X-Request-Id for backend, client and log: set a new one, or trust a well-formed one of the client',
    option: 'requestId',
    reload: 'live',
  },
  'access-log': {
    type: 'string',
    path: true,
    group,
    describe: 'a file for one line of JSON per request, "-" for stdout (default: none); SIGHUP opens it anew',
    option: 'accessLog',
    reload: 'live',
  },
} as const satisfies Readonly<Record<string, Setting>>;
