import { engines } from './engines/registry.js';
import { affinitySettings, backendSettings, healthSettings } from './settings/balancing.js';
import { limitSettings, tlsSettings } from './settings/connections.js';
import { hourMs, type Setting, type ValueFormat } from './settings/setting.js';
import { requestIdModes } from './telemetry/served-request.js';

const whereHeading = { group: 'Where:' } as const;

/** Settings of the sockets on which the proxy listens, of its engine and its processes. */
const whereSettings = {
  host: {
    type: 'string',
    default: '127.0.0.1',
    ...whereHeading,
    describe: 'address to listen on',
    option: 'host',
    reload: 'restart',
    chosenByLab: true,
  },
  port: {
    type: 'number',
    format: { is: 'count', min: 0, max: 65_535 },
    default: 8080,
    ...whereHeading,
    describe: '0 takes a free one',
    option: 'port',
    reload: 'restart',
    chosenByLab: true,
  },
  admin: {
    type: 'string',
    ...whereHeading,
    describe: 'admin API: HOST:PORT, unix:PATH, or off (default 127.0.0.1:8081)',
    option: 'admin',
    reload: 'restart',
    reloadName: '--admin',
    chosenByLab: true,
  },
  'admin-port': {
    type: 'number',
    format: { is: 'count', min: 0, max: 65_535 },
    ...whereHeading,
    describe: 'short for --admin 127.0.0.1:PORT',
    option: 'admin',
    reload: 'restart',
    reloadName: '--admin',
    chosenByLab: true,
  },
  'admin-token-file': {
    type: 'string',
    path: true,
    ...whereHeading,
    describe: 'file of the bearer token that the admin API requires; needed unless only this machine can reach it',
    option: 'admin',
    reload: 'restart',
    reloadName: '--admin',
    chosenByLab: true,
  },
  'health-listen': {
    type: 'string',
    ...whereHeading,
    describe: 'HOST:PORT for GET /live and /ready alone, for probes of an orchestrator (default: none)',
    option: 'healthListen',
    reload: 'restart',
  },
  engine: {
    type: 'string',
    default: 'wire',
    ...whereHeading,
    describe: Object.keys(engines).join(' | '),
    option: 'engine',
    reload: 'restart',
  },
  workers: {
    type: 'string',
    default: '1',
    ...whereHeading,
    describe: 'processes that serve: a number, or auto for one on each core; 1 is this process itself',
    option: 'workers',
    reload: 'restart',
  },
} as const satisfies Readonly<Record<string, Setting>>;

const operationHeading = { group: 'Operation:' } as const;

/** Settings of the configuration file, the shutdown and the log. */
const operationSettings = {
  config: {
    type: 'string',
    path: true,
    ...operationHeading,
    describe: 'a YAML file with these flags as keys; SIGHUP reads it again. Typed flags override it',
    chosenByLab: true,
  },
  grace: {
    type: 'string',
    format: { is: 'duration', minMs: 0, maxMs: hourMs },
    default: '25s',
    ...operationHeading,
    describe: 'at SIGTERM: time for requests in flight to finish, over which WebSockets are closed one by one',
    option: 'graceMs',
    reload: 'live',
  },
  'shutdown-delay': {
    type: 'string',
    format: { is: 'duration', minMs: 0, maxMs: hourMs },
    default: '0',
    ...operationHeading,
    describe: 'at SIGTERM: time in which the proxy still accepts, and /ready says that it closes',
    option: 'shutdownDelayMs',
    reload: 'live',
  },
  'request-id': {
    type: 'string',
    choices: requestIdModes,
    default: 'off',
    ...operationHeading,
    describe: 'X-Request-Id for backend, client and log: set a new one, or trust a well-formed one of the client',
    option: 'requestId',
    reload: 'live',
  },
  'access-log': {
    type: 'string',
    path: true,
    ...operationHeading,
    describe: 'a file for one line of JSON per request, "-" for stdout (default: none); SIGHUP opens it anew',
    option: 'accessLog',
    reload: 'live',
  },
} as const satisfies Readonly<Record<string, Setting>>;

/**
 * All settings of the proxy, in the order of `--help`. A table has the settings of one heading: here those of the
 * process, in `settings/balancing.ts` those of the backends, affinity and health, and in `settings/connections.ts` those
 * of limits and TLS. The command line, `--help`, the configuration file, the rules of a reload and the flags that the lab
 * passes on are computed from this table. CONTRIBUTING.md says what else a new flag needs.
 */
export const settings = {
  ...whereSettings,
  ...backendSettings,
  ...affinitySettings,
  ...healthSettings,
  ...limitSettings,
  ...tlsSettings,
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
