import { type Setting, time } from './setting.js';

/* The settings of the connections: to clients, to backends, and to proxies in front. */

const limitsHeading = { group: 'Timeouts and limits:' } as const;
/** The fields that the limits of the engine share. */
const limit = { ...limitsHeading, option: 'limits', reload: 'restart', reloadName: 'timeouts and limits' } as const;

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
    ...limitsHeading,
    describe: 'open connections of one client address (IPv6: /64); any more are closed; 0: no limit',
    option: 'connectionsPerAddressMax',
    reload: 'live',
  },
  'max-requests-per-address': {
    type: 'string',
    default: '0',
    ...limitsHeading,
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

const tlsHeading = { group: 'TLS, and proxies in front:' } as const;
/** The fields that the settings of TLS to backends share. */
const backendTls = {
  group: 'TLS to backends:',
  option: 'backendTls',
  reload: 'restart',
  reloadName: 'TLS to the backends',
  chosenByLab: true,
} as const;

/** Settings of TLS on both sides, and of the proxies in front. */
export const tlsSettings = {
  tls: {
    type: 'string',
    choices: ['dev'],
    ...tlsHeading,
    describe: 'dev: speak TLS with a self-signed certificate for localhost, made in memory',
    option: 'tls',
    reload: 'special',
  },
  'tls-cert': {
    type: 'string',
    path: true,
    ...tlsHeading,
    describe: 'speak TLS: PEM file of the certificate, its chain behind it (with --tls-key)',
    option: 'tls',
    reload: 'special',
  },
  'tls-key': {
    type: 'string',
    path: true,
    ...tlsHeading,
    describe: 'PEM file of the private key, not encrypted',
    option: 'tls',
    reload: 'special',
  },
  'redirect-https': {
    type: 'string',
    ...tlsHeading,
    describe: 'also listen on this port without TLS, and redirect to https; 8080:443 if clients see port 443',
    option: 'redirect',
    reload: 'restart',
    chosenByLab: true,
  },
  http2: {
    type: 'string',
    choices: ['on', 'off'],
    ...tlsHeading,
    describe: 'offer HTTP/2 to TLS clients, or not; default: on with TLS and engine wire',
    option: 'http2',
    reload: 'restart',
  },
  trust: {
    type: 'string',
    list: true,
    default: [],
    ...tlsHeading,
    describe: 'addresses or networks of proxies in front: their X-Forwarded-*, Forwarded and PROXY header are believed',
    option: 'trusted',
    reload: 'live',
  },
  'proxy-protocol': {
    type: 'boolean',
    default: false,
    ...tlsHeading,
    describe: 'every connection begins with a PROXY header, v1 or v2, and comes from a peer in --trust',
    option: 'proxyProtocol',
    reload: 'restart',
  },
  forwarded: {
    type: 'boolean',
    default: false,
    ...tlsHeading,
    describe: 'tell backends of the client in a Forwarded field too (RFC 7239)',
    option: 'forwarded',
    reload: 'restart',
  },
  'backend-ca': {
    type: 'string',
    path: true,
    ...backendTls,
    describe: 'PEM file of the authorities that https:// backends are verified against (else those of Node)',
  },
  'backend-server-name': {
    type: 'string',
    ...backendTls,
    describe: 'the name that certificates of https:// backends must be for (else the host of --backend)',
  },
  'backend-insecure': {
    type: 'boolean',
    default: false,
    ...backendTls,
    describe: 'take any certificate of https:// backends: anyone on the way can read and change everything',
  },
} as const satisfies Readonly<Record<string, Setting>>;
