import { packageFile } from '../../shared/package-file.js';
import { type StoreUrls, storeDescriptors, storeNames } from '../../shared/stores.js';
import { quoteForShell } from '../../shared/text.js';
import { answersOk, ask } from './ask.js';
import type { ShopCounts } from './cluster.js';
import type { ProcessSpec } from './processes/process-member.js';

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
