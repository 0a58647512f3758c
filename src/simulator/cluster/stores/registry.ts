import type * as z from 'zod';
import { type StoreServerName, storeNames } from '../../../shared/stores.js';
import type { PreparedStore, StorePlace, StoreServer, StoreShape } from '../store-server.js';
import { memcached } from './memcached.js';
import { postgres } from './postgres.js';
import { redis } from './redis.js';

/** Every store server that the lab can start, and that a fault can name as its target. */
export const storeServers = { redis, memcached, postgres } as const;

type Schema<Name extends StoreServerName> = (typeof storeServers)[Name]['schema'];

/** Settings of the store servers of a lab: number of members, persistence and memory. */
export type StoresSpec = {
  readonly [Name in StoreServerName]: ReturnType<(typeof storeServers)[Name]['specOf']>;
};

/** The same table, with the types of each entry in relation to its name: a generic function can use it. */
const servers: { readonly [Name in StoreServerName]: StoreServer<Schema<Name>, StoresSpec[Name]> } = storeServers;

export function isStoreServer(name: string): name is StoreServerName {
  return Object.hasOwn(storeServers, name);
}

/** Returns the server that a member such as `redis.replica-1` belongs to. */
export function serverOf(member: string): string {
  return member.split('.')[0] ?? member;
}

export function shapeOf<Name extends StoreServerName>(name: Name, specs: StoresSpec): StoreShape {
  return servers[name].shape(specs[name]);
}

/** Prepares a store server with its part of the settings. */
export function prepareStore<Name extends StoreServerName>(
  name: Name,
  specs: StoresSpec,
  place: Omit<StorePlace<unknown>, 'spec'>,
): Promise<PreparedStore> {
  return servers[name].prepare({ ...place, spec: specs[name] });
}

/** The schemas of `system.<store>` in a scenario file. */
export const storeSchemas = mapStores((name): unknown => storeServers[name].schema) as {
  readonly [Name in StoreServerName]: Schema<Name>;
};

type Settings = { readonly [Name in StoreServerName]: z.output<Schema<Name>> };

/** Returns the settings of each store server, from what its schema has read. */
export function specsFrom(settings: Settings): StoresSpec {
  const specOf = <Name extends StoreServerName>(name: Name): StoresSpec[Name] => servers[name].specOf(settings[name]);
  return mapStores(specOf) as StoresSpec;
}

/** Default settings: one member each and the defaults of the servers, except that Redis keeps nothing on disk. */
export const plainStores = specsFrom(mapStores(name => storeServers[name].schema.parse(undefined)) as Settings);

function mapStores<Value>(build: (name: StoreServerName) => Value): { readonly [Name in StoreServerName]: Value } {
  // fromEntries forgets the names.
  return Object.fromEntries(storeNames.map(name => [name, build(name)])) as { [Name in StoreServerName]: Value };
}
