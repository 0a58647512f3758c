/** How the address of a store server is told: the variable of a backend, the flag of a command, and what it looks like. */
export interface StoreAddress {
  readonly variable: string;
  readonly flag: string;
  readonly shape: RegExp;
  readonly example: string;
}

const host = String.raw`(?:[\w.-]+|\[[\da-f:.]+\])(?::\d{1,5})?`;
const credentials = String.raw`(?:[^\s/?#@]*@)?`;
const hosts = `${host}(?:,${host})*`;
const rest = String.raw`(?:[/?]\S*)?`;

export const storeAddresses = {
  redis: {
    variable: 'REDIS_URL',
    flag: 'redis-url',
    shape: new RegExp(`^(?:rediss?|redis\\+(?:sentinel|cluster))://${credentials}${hosts}${rest}$`, 'i'),
    example: 'redis://127.0.0.1:6379',
  },
  memcached: {
    variable: 'MEMCACHED_URL',
    flag: 'memcached',
    shape: new RegExp(`^memcached://${host}/?$`, 'i'),
    example: 'memcached://127.0.0.1:11211',
  },
  postgres: {
    variable: 'POSTGRES_URL',
    flag: 'postgres-url',
    shape: new RegExp(`^postgres(?:ql)?://${credentials}${host}${rest}$`, 'i'),
    example: 'postgresql://user@127.0.0.1:5432/db',
  },
} as const satisfies Record<string, StoreAddress>;

export type StoreServerName = keyof typeof storeAddresses;

export const storeAddressNames = Object.keys(storeAddresses) as readonly StoreServerName[];

/** Addresses by the name of the store server. */
export type StoreUrls = { readonly [store in StoreServerName]?: string };

/** For a message: a mistyped address may still hold a password. */
export function withoutPassword(url: string): string {
  return url.replace(/\/\/[^/?#]*@/, '//***@');
}
