import { readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { modes } from '../../modes.js';
import { engines } from '../../proxy/engines/registry.js';
import type { AffinityOptions, HostOptions, PoolOptions, ProxyEvent, ProxyOptions } from '../../proxy/options.js';
import { hashKeyExpected, parseHashKey, routingPolicies } from '../../proxy/routing-policies.js';
import type { SettingValues } from '../../proxy/settings.js';
import { parseKeyRing } from '../../shared/key-ring.js';
import { messageOf } from '../../shared/text.js';
import { parseKey, parseMode, UsageError } from '../lib/flags.js';
import { nameGivenBackends } from './backends-option.js';
import { isService } from './discovery.js';
import { type ProxyArgs, readLimits, readNumber } from './flags.js';
import { readListenOptions } from './listen-options.js';
import { readTlsOptions } from './tls-options.js';

const workersMax = 256;

/**
 * Checks every flag and says of the first wrong one what was expected. `known`: the names that backends have already,
 * by their origin.
 */
export function buildProxyOptions(
  args: ProxyArgs,
  backends: readonly string[],
  keys: AffinityOptions['keys'],
  onEvent: (event: ProxyEvent) => void,
  known?: ReadonlyMap<string, string>,
  hosts: readonly HostOptions[] = [],
): ProxyOptions {
  return {
    ...readListenOptions(args, hosts),
    engine: parseKey('engine', args.engine, engines),
    ...buildPoolOptions(args, backends, keys, known),
    hosts,
    graceMs: readNumber('grace', args),
    limits: readLimits(args),
    shutdownDelayMs: readNumber('shutdown-delay', args),
    ...readClientOptions(args),
    ...readTlsOptions(args),
    namesBackends: args['name-backends'],
    accessLog: args['access-log'],
    workers: parseWorkers(args.workers),
    onEvent,
  };
}

/** Checks the flags that each pool has for itself. */
function buildPoolOptions(
  args: ProxyArgs,
  backends: readonly string[],
  keys: AffinityOptions['keys'],
  known?: ReadonlyMap<string, string>,
): PoolOptions {
  return {
    backends: nameGivenBackends(backends, parseOrigin, known),
    ...readBalanceOptions(args),
    affinity: usesAffinity(args) ? readAffinityOptions(args, keys) : refuseLearning(args),
    health: readHealthOptions(args),
    drainMs: readDrainMs(args),
    maxconn: readNumber('maxconn', args),
    queue: { lengthMax: readNumber('queue', args), timeoutMs: readNumber('queue-timeout', args) },
    ejection: readEjectionOptions(args),
  };
}

/** Checks the settings of a pool of one host. The names of its backends begin with the host. */
export function buildHostOptions(
  host: string,
  args: ProxyArgs,
  keys: AffinityOptions['keys'],
  known?: ReadonlyMap<string, string>,
): HostOptions {
  const pool = buildPoolOptions(args, args.backend ?? [], keys, known);
  const backends = pool.backends.map(backend => ({ ...backend, name: `${host}:${backend.name}` }));
  return { ...pool, host, backends, tls: readTlsOptions(args).tls };
}

function parseWorkers(text: string): number {
  if (text === 'auto') return Math.min(availableParallelism(), workersMax);
  const given = /^\d{1,3}$/.test(text) ? Number(text) : 0;
  if (given >= 1 && given <= workersMax) return given;
  throw new UsageError(`--workers "${text}": expected a number from 1 to ${workersMax}, or auto for one on each core.`);
}

function usesAffinity(args: ProxyArgs): boolean {
  const { affinity } = modes[parseMode(args.mode)];
  return args.affinity === undefined ? affinity : args.affinity === 'on';
}

function readHealthOptions(args: ProxyArgs): ProxyOptions['health'] {
  const everyMs = readNumber('health-interval', args);
  return {
    path: parsePath(args['health-path']),
    everyMs,
    transitionMs: Math.min(500, everyMs),
    timeoutMs: readNumber('health-timeout', args),
    fall: readNumber('health-fall', args),
    rise: readNumber('health-rise', args),
  };
}

function readEjectionOptions(args: ProxyArgs): ProxyOptions['ejection'] {
  const [forMs, forMsMax] = [readNumber('eject-time', args), readNumber('eject-time-max', args)];
  if (forMs > forMsMax)
    throw new UsageError(
      `--eject-time ${args['eject-time']} is longer than --eject-time-max ${args['eject-time-max']}: raise the maximum.`,
    );
  return { after: readNumber('eject-after', args), forMs, forMsMax };
}

/** Bound browsers may need minutes to finish; without affinity a drain only waits for what is in flight. */
function readDrainMs(args: ProxyArgs): number {
  if (args.drain !== undefined) return readNumber('drain', args);
  return usesAffinity(args) ? 300_000 : 30_000;
}

function readAffinityOptions(args: ProxyArgs, keys: AffinityOptions['keys']): AffinityOptions {
  const [idleMs, absoluteMs] = [readNumber('affinity-idle', args), readNumber('affinity-absolute', args)];
  if (idleMs > absoluteMs)
    throw new UsageError(
      `--affinity-idle ${args['affinity-idle']} is longer than --affinity-absolute ${args['affinity-absolute']}: raise the second one.`,
    );
  return {
    pool: parsePool(args.pool),
    keys,
    idleMs,
    absoluteMs,
    sameSite: args['same-site'],
    onLost: args['on-lost-affinity'],
    learnFrom: readLearnFrom(args),
  };
}

function refuseLearning({ 'affinity-cookie': cookie, 'affinity-header': header }: ProxyArgs): undefined {
  if (cookie === undefined && header === undefined) return undefined;
  const flag = cookie === undefined ? 'affinity-header' : 'affinity-cookie';
  throw new UsageError(
    `--${flag} has no effect here, because affinity is off. Add --affinity on, or leave --${flag} out.`,
  );
}

/** Fields that frame or route a message, or that the proxy writes. They are no session tokens. */
const noTokens =
  /^(?:host|cookie|set-cookie|connection|content-length|transfer-encoding|upgrade|te|expect|via|forwarded|x-forwarded-.*|x-real-ip|x-request-id|holdfast-.*)$/i;

/** Reads which token of the app binds a browser. Refuses workers: the learnt table is in the memory of one process. */
function readLearnFrom(args: ProxyArgs): AffinityOptions['learnFrom'] {
  const { 'affinity-cookie': cookie, 'affinity-header': header } = args;
  if (cookie === undefined && header === undefined) return undefined;
  if (cookie !== undefined && header !== undefined)
    throw new UsageError('--affinity-cookie and --affinity-header: use one of them.');
  const flag = cookie === undefined ? 'affinity-header' : 'affinity-cookie';
  if (!/^[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,128}$/.test(cookie ?? header ?? ''))
    throw new UsageError(
      `--${flag} "${cookie ?? header}": expected a name such as ${cookie === undefined ? 'x-session-token' : 'connect.sid'}.`,
    );
  if (header !== undefined && noTokens.test(header))
    throw new UsageError(
      `--affinity-header "${header}": this field carries no session token. Name the header in which your app sends one, or use --affinity-cookie.`,
    );
  if (args.workers !== '1')
    throw new UsageError(`--${flag} needs --workers 1: several workers do not share what they have learnt.`);
  return cookie === undefined ? { header: String(header).toLowerCase() } : { cookie };
}

/** Reads the key ring from a file or the environment. Every user of the machine can read a command line. */
export function readKeyRing(args: ProxyArgs): AffinityOptions['keys'] | undefined {
  const file = args['secrets-file'];
  if (file !== undefined)
    return readOrExplain(() => parseKeyRing(readFileSync(file, 'utf8').trim()), `--secrets-file "${file}"`);
  const text = process.env.HOLDFAST_SECRETS || undefined;
  return text === undefined ? undefined : readOrExplain(() => parseKeyRing(text.trim()), 'HOLDFAST_SECRETS');
}

function readOrExplain<T>(parse: () => T, what: string): T {
  try {
    return parse();
  } catch (error) {
    throw new UsageError(`${what}: ${messageOf(error)}`);
  }
}

/** Throws for a text that is no backend. */
export function checkBackend(text: string): void {
  if (!isService(text)) nameGivenBackends([text], parseOrigin);
}

function parseOrigin(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const known = url !== undefined && (url.protocol === 'http:' || url.protocol === 'https:');
  const plain = known && url.hostname !== '' && url.port !== '0' && url.username === '' && url.password === '';
  if (plain && url.pathname === '/' && url.search === '' && url.hash === '') return url;
  throw new UsageError(
    `--backend "${text}": expected an origin such as http://127.0.0.1:3001 or https://backend.internal, without path, query or password.`,
  );
}

function parsePath(text: string): string {
  // Behind two slashes stands another host, behind "#" what is not sent.
  if (/^\/(?![/\\])[\x21\x22\x24-\x7e]*$/.test(text)) return text;
  throw new UsageError(`--health-path "${text}": expected a path such as /health.`);
}

function parsePool(text: string): string {
  if (/^[A-Za-z0-9_-]{0,32}$/.test(text)) return text;
  throw new UsageError(`--pool "${text}": expected at most 32 of A-Z a-z 0-9 _ - (it becomes part of a cookie name).`);
}

type BalanceArgs = Pick<SettingValues, 'policy' | 'hash-key' | 'slow-start'>;

export function readBalanceOptions(args: BalanceArgs): Pick<ProxyOptions, 'policy' | 'hashKey' | 'slowStartMs'> {
  const hashKey = args['hash-key'];
  if (parseHashKey(hashKey) === undefined)
    throw new UsageError(`--hash-key "${hashKey}": expected ${hashKeyExpected}.`);
  return {
    policy: parseKey('policy', args.policy, routingPolicies),
    hashKey,
    slowStartMs: readNumber('slow-start', args),
  };
}

/** Warns of a setting that has no effect. */
export function listBalanceWarnings({ policy, 'hash-key': hashKey }: BalanceArgs): readonly string[] {
  if (hashKey === 'address' || policy === 'rendezvous') return [];
  return [`--hash-key ${hashKey}: only --policy rendezvous looks at it, and --policy is ${policy}`];
}

const perSecondMax = 1_000_000;

type ClientArgs = Pick<SettingValues, 'max-connections-per-address' | 'max-requests-per-address' | 'request-id'>;

/** Reads how requests are named, and the limits of each client address. Throws `UsageError`. */
function readClientOptions(
  args: ClientArgs,
): Pick<ProxyOptions, 'connectionsPerAddressMax' | 'requestsPerAddressMax' | 'requestId'> {
  return {
    connectionsPerAddressMax: readNumber('max-connections-per-address', args),
    requestsPerAddressMax: parseRate(args['max-requests-per-address']),
    requestId: args['request-id'],
  };
}

function parseRate(text: string): number {
  const [, digits] = /^(\d{1,7})\/s$/.exec(text) ?? [];
  const perSecond = text === '0' ? 0 : Number(digits ?? Number.NaN);
  if (perSecond === 0 ? text === '0' : perSecond <= perSecondMax) return perSecond;
  throw new UsageError(
    `--max-requests-per-address "${text}": expected a rate such as 100/s, at most ${perSecondMax}/s, or 0 for no limit.`,
  );
}
