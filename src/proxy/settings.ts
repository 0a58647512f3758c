import { engines } from './engines/registry.js';
import { routingPolicies } from './routing-policies/registry.js';
import { affinitySettings } from './settings/affinity.js';
import { bodySettings } from './settings/bodies.js';
import { addressSettings, requestSettings } from './settings/client.js';
import { healthSettings } from './settings/health.js';
import { listenerSettings } from './settings/listeners.js';
import { adminSettings, discoverySettings, operationSettings } from './settings/operation.js';
import { queueSettings } from './settings/queue.js';
import { hourMs, type Setting, time, type ValueFormat } from './settings/setting.js';

/** The fields that all limits share. */
const limit = {
  group: 'Timeouts and limits:',
  option: 'limits',
  reload: 'restart',
  reloadName: 'timeouts and limits',
} as const;

/** The fields that all settings of TLS to backends share. */
const backendTls = {
  group: 'TLS to backends:',
  option: 'backendTls',
  reload: 'restart',
  reloadName: 'TLS to the backends',
  chosenByLab: true,
} as const;

/**
 * All settings of the proxy; some groups have files of their own in `settings/`. The command line, `--help`, the
 * configuration file, the rules of a reload and the flags that the lab passes on are computed from this table.
 * CONTRIBUTING.md says what else a new flag needs.
 */
export const settings = {
  host: {
    type: 'string',
    default: '127.0.0.1',
    group: 'Where:',
    describe: 'address to listen on',
    option: 'host',
    reload: 'restart',
    chosenByLab: true,
  },
  port: {
    type: 'number',
    format: { is: 'count', min: 0, max: 65_535 },
    default: 8080,
    group: 'Where:',
    describe: '0 takes a free one',
    option: 'port',
    reload: 'restart',
    chosenByLab: true,
  },
  ...adminSettings,
  engine: {
    type: 'string',
    default: 'wire',
    group: 'Where:',
    describe: Object.keys(engines).join(' | '),
    option: 'engine',
    reload: 'restart',
  },
  workers: {
    type: 'string',
    default: '1',
    group: 'Where:',
    describe: 'processes that serve: a number, or auto for one on each core; 1 is this process itself',
    option: 'workers',
    reload: 'restart',
  },
  backend: {
    type: 'string',
    list: true,
    group: 'Backends and load balancing:',
    describe:
      'origin of one of your backends; if you like with a name, weight, maxconn and response-timeout: red=http://…,weight=3,maxconn=10; repeatable',
    option: 'backends',
    reload: 'special',
    chosenByLab: true,
  },
  ...discoverySettings,
  policy: {
    type: 'string',
    default: 'round-robin',
    group: 'Backends and load balancing:',
    describe: Object.keys(routingPolicies).join(' | '),
    option: 'policy',
    reload: 'live',
  },
  'hash-key': {
    type: 'string',
    default: 'address',
    group: 'Backends and load balancing:',
    describe: 'what "rendezvous" hashes: address | header:<name> | cookie:<name>',
    option: 'hashKey',
    reload: 'live',
  },
  'slow-start': {
    type: 'string',
    format: { is: 'duration', minMs: 0, maxMs: hourMs },
    default: '30s',
    group: 'Backends and load balancing:',
    describe: 'time in which a new or recovered backend grows to its full share; 0: at once',
    option: 'slowStartMs',
    reload: 'live',
  },
  ...queueSettings,
  ...affinitySettings,
  ...healthSettings,
  ...listenerSettings,
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
  ...addressSettings,
  ...bodySettings,
  tls: {
    type: 'string',
    choices: ['dev'],
    group: 'TLS, and proxies in front:',
    describe: 'dev: speak TLS with a self-signed certificate for localhost, made in memory',
    option: 'tls',
    reload: 'special',
  },
  'tls-cert': {
    type: 'string',
    path: true,
    group: 'TLS, and proxies in front:',
    describe: 'speak TLS: PEM file of the certificate, its chain behind it (with --tls-key)',
    option: 'tls',
    reload: 'special',
  },
  'tls-key': {
    type: 'string',
    path: true,
    group: 'TLS, and proxies in front:',
    describe: 'PEM file of the private key, not encrypted',
    option: 'tls',
    reload: 'special',
  },
  http2: {
    type: 'string',
    choices: ['on', 'off'],
    group: 'TLS, and proxies in front:',
    describe: 'offer HTTP/2 to TLS clients, or not; default: on with TLS and engine wire',
    option: 'http2',
    reload: 'restart',
  },
  trust: {
    type: 'string',
    list: true,
    default: [],
    group: 'TLS, and proxies in front:',
    describe: 'addresses or networks of proxies in front, whose X-Forwarded-*, Forwarded and PROXY header are believed',
    option: 'trusted',
    reload: 'live',
  },
  'proxy-protocol': {
    type: 'boolean',
    default: false,
    group: 'TLS, and proxies in front:',
    describe: 'every connection begins with a PROXY header, v1 or v2, and comes from a peer in --trust',
    option: 'proxyProtocol',
    reload: 'restart',
  },
  forwarded: {
    type: 'boolean',
    default: false,
    group: 'TLS, and proxies in front:',
    describe: 'tell backends of the client in a Forwarded field too (RFC 7239)',
    option: 'forwarded',
    reload: 'restart',
  },
  'name-backends': {
    type: 'boolean',
    default: false,
    group: 'Backends and load balancing:',
    describe: 'each answer says which backend gave it (holdfast-backend, holdfast-incarnation)',
    option: 'namesBackends',
    reload: 'live',
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
  config: {
    type: 'string',
    path: true,
    group: 'Operation:',
    describe: 'a YAML file whose keys are these flags; SIGHUP reads it again. What is typed wins',
    chosenByLab: true,
  },
  ...requestSettings,
  'access-log': {
    type: 'string',
    path: true,
    group: 'Operation:',
    describe: 'a file for one line of JSON per request, "-" for stdout (default: none); SIGHUP opens it anew',
    option: 'accessLog',
    reload: 'live',
  },
  ...operationSettings,
  backends: {
    type: 'number',
    group: 'A lab to play with:',
    describe: 'how many toy backends to start (default 3)',
    chosenByLab: true,
  },
} as const satisfies Readonly<Record<string, Setting>>;

export type SettingName = keyof typeof settings;

/** The names of the settings whose values are read by their format, as numbers. */
export type NumberSettingName = {
  [Name in SettingName]: (typeof settings)[Name] extends { readonly format: ValueFormat } ? Name : never;
}[SettingName];

type ValueOf<S> = S extends { readonly list: true }
  ? readonly string[]
  : S extends { readonly choices: readonly (infer Choice)[] }
    ? Choice
    : S extends { readonly type: infer Type extends Setting['type'] }
      ? { readonly string: string; readonly number: number; readonly boolean: boolean }[Type]
      : never;

/** The value of each flag, as the command line or the configuration file gives it. */
export type SettingValues = {
  readonly [Name in SettingName]: (typeof settings)[Name] extends { readonly default: unknown }
    ? ValueOf<(typeof settings)[Name]>
    : ValueOf<(typeof settings)[Name]> | undefined;
};

/** The settings by name, with the fields that only some of them have. */
export const settingEntries: readonly (readonly [name: SettingName, setting: Setting])[] = namesOf(settings).map(
  name => [name, settings[name]],
);

function namesOf<Table extends object>(table: Table): (keyof Table & string)[] {
  const names: (keyof Table & string)[] = [];
  for (const name in table) if (Object.hasOwn(table, name)) names.push(name);
  return names;
}
