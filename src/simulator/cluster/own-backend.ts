import { statSync } from 'node:fs';
import type { StoreUrls } from '../../store-addresses.js';
import { LabError } from '../errors.js';
import { respondsWell } from './ask.js';
import type { ProcessSpec } from './process-member.js';

/** A backend that is the user's own program. */
export interface OwnBackend {
  /** Run by `sh -c`, with all that it starts in one process group. */
  readonly command: string;
  /** Absolute. */
  readonly directory: string;
  readonly ready: { readonly http: string; readonly withinMs: number };
}

/** Placeholders of `system.backends.env`; those of stores are empty where the mode has none. */
export const ownPlaceholders = ['port', 'name', 'store', 'redis', 'memcached', 'postgres'] as const;
/** A store's address could hold what a shell reads as more than an address; a port and a name cannot. */
export const commandPlaceholders = ['port', 'name'] as const;

const placeholder = /(?<!\$)\{([a-z][a-z0-9-]*)\}/g;

/** The first placeholder that is not among the known; `${x}` is the shell's own. */
export function strangePlaceholder(text: string, known: readonly string[]): string | undefined {
  return [...text.matchAll(placeholder)].map(([, name = '']) => name).find(name => !known.includes(name));
}

function filled(text: string, values: Readonly<Record<string, string>>): string {
  return text.replaceAll(placeholder, (_whole, name) => values[name] ?? '');
}

export interface OwnBackendPlace {
  readonly name: string;
  readonly port: number;
  readonly env: Readonly<Record<string, string>>;
  readonly storeUrls: StoreUrls;
  /** The store of the mode. */
  readonly store: keyof StoreUrls | undefined;
}

/** Throws `LabError` when its folder is not there: all that the system would say is that there is no shell. */
export function ownBackendSpec(own: OwnBackend, { name, port, env, storeUrls, store }: OwnBackendPlace): ProcessSpec {
  if (statSync(own.directory, { throwIfNoEntry: false })?.isDirectory() !== true)
    throw new LabError(
      `"${own.directory}" is no folder, expected the one in which ${name} is run: see system.backends.directory.`,
    );
  const { redis = '', memcached = '', postgres = '' } = storeUrls;
  const url = store === undefined ? '' : (storeUrls[store] ?? '');
  const values = { name, port: String(port), store: url, redis, memcached, postgres };
  const command = filled(own.command, values);
  const given = Object.entries(env).map(([variable, text]) => [variable, filled(text, values)]);
  return {
    name,
    role: 'backend',
    port,
    command: '/bin/sh',
    args: ['-c', command],
    env: { PORT: values.port, ...Object.fromEntries(given) },
    group: true,
    directory: own.directory,
    readyWithinMs: own.ready.withinMs,
    answers: (withinMs, at = port) => respondsWell(`http://127.0.0.1:${at}${own.ready.http}`, withinMs),
    remedy:
      `cd ${own.directory} && PORT=${port} ${command}   (by hand, to see what it says); it must listen on 127.0.0.1:${port}` +
      ` and answer GET ${own.ready.http} (system.backends.ready.http) with a status from 200 to 299`,
  };
}
