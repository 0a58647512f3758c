import { type Setting, time } from './setting.js';

const group = 'Timeouts and limits:';
/** The fields that the limits of the engine share. */
const limit = { group, option: 'limits', reload: 'restart', reloadName: 'timeouts and limits' } as const;

/** Timeouts and limits of connections, requests and clients. */
export const limitSettings = {
  'connect-timeout': {
    type: 'string',
    format: time,
    default: '4s',
    ...limit,
    describe: 'time to connect to a backend; then the next one is tried',
    limit: 'connectMs',
  },
  'response-timeout': {
    type: 'string',
    format: time,
    default: '30s',
    ...limit,
    describe: 'time from the end of a request to the head of its answer; then 504',
    limit: 'responseHeadMs',
  },
  'body-timeout': {
    type: 'string',
    format: time,
    default: '30s',
    ...limit,
    describe: 'how long a body may stand still, in either direction',
    limit: 'idleBodyMs',
  },
  'header-timeout': {
    type: 'string',
    format: time,
    default: '10s',
    ...limit,
    describe: 'time for the head of a request to arrive; then 408',
    limit: 'clientHeadMs',
  },
  'keep-alive-timeout': {
    type: 'string',
    format: time,
    default: '75s',
    ...limit,
    describe: 'how long a client may keep a connection open without a request',
    limit: 'clientIdleMs',
  },
  'header-bytes': {
    type: 'string',
    format: { is: 'size', minBytes: 1024, maxBytes: 1024 * 1024 },
    default: '16KiB',
    ...limit,
    describe: 'largest head of a request or an answer; then 431 or 502',
    limit: 'headerBytesMax',
  },
  'header-fields': {
    type: 'number',
    format: { is: 'count', min: 8, max: 10_000 },
    default: 100,
    ...limit,
    describe: 'most fields in the head of a request; then 431',
    limit: 'headerFieldsMax',
  },
  'replay-bytes': {
    type: 'string',
    format: { is: 'size', minBytes: 0, maxBytes: 16 * 1024 * 1024 },
    default: '64KiB',
    ...limit,
    describe: 'longest request body that can be sent again to another backend',
    limit: 'replayBytesMax',
  },
  'max-connections-per-address': {
    type: 'number',
    format: { is: 'count', min: 0, max: 65_536 },
    default: 0,
    group,
    describe: 'open connections of one client address (IPv6: /64); any more are closed; 0: no limit',
    option: 'connectionsPerAddressMax',
    reload: 'live',
  },
  'max-requests-per-address': {
    type: 'string',
    default: '0',
    group,
    describe: 'requests of one client address, such as 100/s, with a burst of as many; then 429; 0: no limit',
    option: 'requestsPerAddressMax',
    reload: 'live',
  },
  'max-body-size': {
    type: 'string',
    format: { is: 'size', minBytes: 0, maxBytes: 1024 ** 4 },
    default: '0',
    ...limit,
    describe: 'longest request body; then 413. 0: no limit',
    limit: 'bodyBytesMax',
  },
} as const satisfies Readonly<Record<string, Setting>>;
