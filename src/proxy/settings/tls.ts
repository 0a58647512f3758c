import type { Setting } from './setting.js';

const group = 'TLS, and proxies in front:';
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
    group,
    describe: 'dev: speak TLS with a self-signed certificate for localhost, made in memory',
    option: 'tls',
    reload: 'special',
  },
  'tls-cert': {
    type: 'string',
    path: true,
    group,
    describe: 'speak TLS: PEM file of the certificate, its chain behind it (with --tls-key)',
    option: 'tls',
    reload: 'special',
  },
  'tls-key': {
    type: 'string',
    path: true,
    group,
    describe: 'PEM file of the private key, not encrypted',
    option: 'tls',
    reload: 'special',
  },
  'redirect-https': {
    type: 'string',
    group,
    describe: 'also listen on this port without TLS, and redirect to https; 8080:443 if clients see port 443',
    option: 'redirect',
    reload: 'restart',
    chosenByLab: true,
  },
  http2: {
    type: 'string',
    choices: ['on', 'off'],
    group,
    describe: 'offer HTTP/2 to TLS clients, or not; default: on with TLS and engine wire',
    option: 'http2',
    reload: 'restart',
  },
  trust: {
    type: 'string',
    list: true,
    default: [],
    group,
    describe: 'addresses or networks of proxies in front: their X-Forwarded-*, Forwarded and PROXY header are believed',
    option: 'trusted',
    reload: 'live',
  },
  'proxy-protocol': {
    type: 'boolean',
    default: false,
    group,
    describe: 'every connection begins with a PROXY header, v1 or v2, and comes from a peer in --trust',
    option: 'proxyProtocol',
    reload: 'restart',
  },
  forwarded: {
    type: 'boolean',
    default: false,
    group,
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
