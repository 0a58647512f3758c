import { requestIdModes } from '../telemetry/request-id.js';
import type { Setting } from './setting.js';

/** The limits of each client address. A part of `settings.ts`. */
export const addressSettings = {
  'max-connections-per-address': {
    type: 'number',
    format: { is: 'count', min: 0, max: 65_536 },
    default: 0,
    group: 'Timeouts and limits:',
    describe: 'open connections of one client address (IPv6: /64); any more are closed; 0: no limit',
    option: 'connectionsPerAddressMax',
    reload: 'live',
  },
  'max-requests-per-address': {
    type: 'string',
    default: '0',
    group: 'Timeouts and limits:',
    describe: 'requests of one client address, such as 100/s, with a burst of as many; then 429; 0: no limit',
    option: 'requestsPerAddressMax',
    reload: 'live',
  },
} as const satisfies Readonly<Record<string, Setting>>;

/** How requests are named. A part of `settings.ts`. */
export const requestSettings = {
  'request-id': {
    type: 'string',
    choices: requestIdModes,
    default: 'off',
    group: 'Operation:',
    describe: 'X-Request-Id for backend, client and log: set a new one, or trust a well-formed one of the client',
    option: 'requestId',
    reload: 'live',
  },
} as const satisfies Readonly<Record<string, Setting>>;
