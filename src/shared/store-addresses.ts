import { parseAddress, shownUrl } from './redis-address.js';

/** How the address of a store server is told: the variable of a backend, the flag of a command, and what it looks like. */
export interface StoreAddress {
  readonly variable: string;
  readonly flag: string;
  readonly example: string;
  /** What was expected instead of this address, without a password; undefined for one that can be used. */
  readonly problem: (url: string) => string | undefined;
}

const host = String.raw`(?:[\w.-]+|\[[\da-f:.]+\])(?::(?<port>\d{1,5}))?`;
const credentials = String.raw`(?:[^\s/?#@]*@)?`;
const rest = String.raw`(?:[/?]\S*)?`;

export const storeAddresses = {
  redis: {
    variable: 'REDIS_URL',
    flag: 'redis-url',
    example: 'redis://127.0.0.1:6379',
    problem: redisProblem,
  },
  memcached: {
    variable: 'MEMCACHED_URL',
    flag: 'memcached',
    example: 'memcached://127.0.0.1:11211',
    problem: memcachedProblem,
  },
  postgres: {
    variable: 'POSTGRES_URL',
    flag: 'postgres-url',
    example: 'postgresql://user@127.0.0.1:5432/db',
    problem: shaped(
      new RegExp(`^postgres(?:ql)?://${credentials}${host}${rest}$`, 'i'),
      'postgresql://user@127.0.0.1:5432/db',
    ),
  },
} as const satisfies Record<string, StoreAddress>;

export type StoreServerName = keyof typeof storeAddresses;

export const storeAddressNames = Object.keys(storeAddresses) as readonly StoreServerName[];

/** Addresses by the name of the store server. */
export type StoreUrls = { readonly [store in StoreServerName]?: string };

/** For a message: a mistyped address may still hold a password. */
export function withoutPassword(url: string): string {
  return shownUrl(url);
}

function shaped(shape: RegExp, example: string): StoreAddress['problem'] {
  return url => {
    const found = shape.exec(url);
    if (found === null) return `expected an address such as ${example}`;
    const { port = 1 } = found.groups ?? {};
    return Number(port) >= 1 && Number(port) <= 65_535 ? undefined : `port ${port} is not within 1 and 65535`;
  };
}

/** Several are told apart by a comma. */
function memcachedProblem(url: string): string | undefined {
  const problem = shaped(new RegExp(`^memcached://${host}/?$`, 'i'), storeAddresses.memcached.example);
  const [first = '', ...others] = url.split(',');
  const problems = [first, ...others.map(other => `memcached://${other}`)].map(problem);
  return problems.find(each => each !== undefined);
}

function redisProblem(url: string): string | undefined {
  try {
    parseAddress(url);
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}
