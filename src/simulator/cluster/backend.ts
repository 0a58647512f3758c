import { statSync } from 'node:fs';
import { packageFile } from '../../shared/package.js';
import { type StoreUrls, storeDescriptors, storeNames } from '../../shared/stores.js';
import { quoteForShell } from '../../shared/text.js';
import { LabError } from '../errors.js';
import type { ShopCounts } from './cluster.js';
import { answersOk, ask, statusWithin } from './probe.js';
import type { ProcessSpec } from './processes/process-member.js';

/** How a backend is started: the toy shop, or a program of the user, in whose command placeholders are replaced. */

const shop = packageFile('dist/backends/shop.js');

/** The header in which a backend names its version. */
export const versionHeader = 'holdfast-version';

export interface BackendOptions {
  readonly name: string;
  readonly port: number;
  readonly mode: string;
  readonly storeUrls: StoreUrls;
  readonly env: Readonly<Record<string, string>>;
  readonly version: string;
  /** A Node program that reads the same environment variables. Default: the toy shop. */
  readonly program?: string;
}

/** Environment variables that the lab itself sets for every backend. */
export const labVariables: readonly string[] = [
  ...['PORT', 'HOST', 'BACKEND_ID', 'BACKEND_VERSION', 'HOLDFAST_MODE'],
  ...Object.values(storeDescriptors).map(({ variable }) => variable),
];

export function backendSpec({
  name,
  port,
  mode,
  storeUrls,
  env,
  version,
  program = shop,
}: BackendOptions): ProcessSpec {
  return {
    name,
    role: 'backend',
    port,
    command: process.execPath,
    args: [program],
    env: {
      ...env,
      HOST: '127.0.0.1',
      PORT: String(port),
      BACKEND_ID: name,
      BACKEND_VERSION: version,
      HOLDFAST_MODE: mode,
      ...storeVariables(storeUrls),
    },
    answers: (withinMs, at = port) => answersOk(`http://127.0.0.1:${at}/health`, withinMs),
    counts: () => readSessionCounts(port),
    remedy: `PORT=${port} HOLDFAST_MODE=${mode} node ${quoteForShell(program)}   (run it by hand to see its output)`,
  };
}

function storeVariables(storeUrls: StoreUrls): Record<string, string> {
  return Object.fromEntries(
    storeNames.flatMap(name => {
      const url = storeUrls[name];
      return url === undefined ? [] : [[storeDescriptors[name].variable, url]];
    }),
  );
}

const countsWithinMs = 1_000;

async function readSessionCounts(port: number): Promise<ShopCounts> {
  const { json } = await ask('GET', `http://127.0.0.1:${port}/stats`, countsWithinMs);
  if (!isObject(json)) return {};
  const { sessions, atOnceMax } = json;
  return { ...numbersIn(sessions), ...numbersIn({ atOnceMax }) };
}

function numbersIn(value: unknown): ShopCounts {
  const entries = isObject(value) ? Object.entries(value) : [];
  return Object.fromEntries(entries.filter((entry): entry is [string, number] => typeof entry[1] === 'number'));
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null;
}

/** A backend that is a program of the user. */
export interface OwnBackend {
  /** Runs with `sh -c`. It and all processes that it starts form one process group. */
  readonly command: string;
  /** An absolute path. */
  readonly directory: string;
  readonly ready: { readonly http: string; readonly withinMs: number };
}

export interface OwnBackendPlace extends PlaceholderSources {
  readonly version: string;
  readonly env: Readonly<Record<string, string>>;
}

/** Builds its process spec. Throws `LabError` when its folder is missing: `spawn` would only report a missing shell. */
export function ownBackendSpec(own: OwnBackend, place: OwnBackendPlace): ProcessSpec {
  const { name, port, env, version } = place;
  if (statSync(own.directory, { throwIfNoEntry: false })?.isDirectory() !== true)
    throw new LabError(
      `"${own.directory}" is not a folder: expected the folder in which ${name} is run (system.backends.directory).`,
    );
  assertPlain(own.command, place.runDirectory);
  const values = placeholderValues(place);
  const command = fillPlaceholders(own.command, values);
  const given = Object.entries(env).map(([variable, text]) => [variable, fillPlaceholders(text, values)] as const);
  const variables: Readonly<Record<string, string>> = {
    PORT: String(port),
    BACKEND_VERSION: version,
    ...Object.fromEntries(given),
  };
  const { http, withinMs: readyWithinMs } = own.ready;
  let status: number | undefined;
  return {
    name,
    role: 'backend',
    port,
    command: '/bin/sh',
    args: ['-c', command],
    env: variables,
    group: true,
    directory: own.directory,
    readyWithinMs,
    async answers(withinMs, at = port) {
      status = await statusWithin(`http://127.0.0.1:${at}${http}`, withinMs);
      return isHealthy(status);
    },
    whyNotReady: () =>
      status === undefined || isHealthy(status)
        ? undefined
        : `GET ${http} answered ${status}, expected 200 to 299 (system.backends.ready.http)`,
    remedy:
      `cd ${quoteForShell(own.directory)} && ${formatVariables(variables)} ${command}   (run it by hand to see its output);` +
      ` it must listen on 127.0.0.1:${port} and answer GET ${http} (system.backends.ready.http) with a status from 200 to 299`,
  };
}

/** Returns whether the status is in the range that the proxy calls healthy. */
function isHealthy(status: number | undefined): boolean {
  return status !== undefined && status >= 200 && status < 300;
}

/** Throws `LabError` when the shell would split or expand the path of the run directory, as with spaces in TMPDIR. */
export function assertPlain(command: string, runDirectory: string): void {
  if (!/\{(?:run-dir|config)\}/.test(command) || /^[\w@%+=:,./-]*$/.test(runDirectory)) return;
  throw new LabError(
    `{run-dir} is "${runDirectory}", which a shell would not read as one path. Set TMPDIR to a folder without spaces.`,
  );
}

/** Returns the variables in shell syntax, with possible secrets masked. */
function formatVariables(variables: Readonly<Record<string, string>>): string {
  return Object.entries(variables)
    .map(([name, value]) => `${name}=${quoteForShell(maskSecrets(name, value))}`)
    .join(' ');
}

function maskSecrets(name: string, value: string): string {
  if (/pass|secret|token|key|auth/i.test(name)) return '***';
  return value.replace(/^([a-z+]+:\/\/[^:@/]*):.*@/is, '$1:***@');
}

/** Placeholders of `system.backends.command`. Addresses are left out: a shell could interpret their characters. */
export const commandPlaceholders = ['port', 'name', 'run-dir'] as const;

/** Placeholders of `system.backends.env`. Those of a store are empty in a mode without that store. */
export const ownPlaceholders = [
  ...commandPlaceholders,
  'store',
  ...storeNames.flatMap(store => [store, ...storeDescriptors[store].parts.map(part => `${store}.${part}`)]),
];

const placeholder = /(?<!\$)\{([a-z][a-z0-9.-]*)\}/g;

/** Returns the first placeholder that is not in `known`. `${x}` belongs to the shell and is no placeholder. */
export function findUnknownPlaceholder(text: string, known: readonly string[]): string | undefined {
  return [...text.matchAll(placeholder)].map(([, name = '']) => name).find(name => !known.includes(name));
}

/** Says which placeholder of a text is unknown, and which are known. Undefined when all are known. */
export function describeUnknownPlaceholder(text: string, known: readonly string[]): string | undefined {
  const strange = findUnknownPlaceholder(text, known);
  return strange && `found {${strange}}, expected one of ${known.map(name => `{${name}}`).join(', ')}`;
}

/** Replaces each placeholder by its value; one without a value becomes empty. */
export function fillPlaceholders(text: string, values: Readonly<Record<string, string>>): string {
  return text.replaceAll(placeholder, (_whole, name) => values[name] ?? '');
}

interface PlaceholderSources {
  readonly name: string;
  readonly port: number;
  readonly runDirectory: string;
  readonly storeUrls: StoreUrls;
  /** The store of the mode. */
  readonly store: keyof StoreUrls | undefined;
}

/** Returns the value of each placeholder. If an address names several servers, the first gives host and port. */
export function placeholderValues(sources: PlaceholderSources): Readonly<Record<string, string>> {
  const { name, port, runDirectory, storeUrls, store } = sources;
  const own = { name, port: String(port), 'run-dir': runDirectory, store: (store && storeUrls[store]) ?? '' };
  const stores = storeNames.flatMap(each => {
    const url = storeUrls[each] ?? '';
    return [[each, url] as const, ...partsOf(each, url, String(storeDescriptors[each].defaultPort))];
  });
  return { ...own, ...Object.fromEntries(stores) };
}

const address =
  /^[a-z+]+:\/\/(?:(?<user>[^:@/]*)(?::(?<password>[^@/]*))?@)?(?:\[(?<v6>[^\]]*)\]|(?<host>[^:/,?]*))(?::(?<port>\d+))?[^/?]*(?:\/(?<database>[^?]*))?/i;

function partsOf(store: string, url: string, portDefault: string): (readonly [name: string, value: string])[] {
  const found = address.exec(url)?.groups;
  if (found === undefined) return [];
  const { user = '', password = '', v6, host = '', port = portDefault, database = '' } = found;
  const parts = { host: v6 ?? host, port, user, password, database };
  return Object.entries(parts).map(([part, text]) => [`${store}.${part}`, decodePart(text)] as const);
}

function decodePart(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
