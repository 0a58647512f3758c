import { parseAddress } from './redis-address.js';
import { messageOf } from './text.js';

/**
 * Addresses and names of the store servers, for all code outside the stores. The clients are in `src/sessions/stores/`.
 * The code that runs the servers in the lab is in `src/simulator/cluster/stores/`.
 */
interface StoreDescriptor {
  /** Its name in sentences. */
  readonly product: string;
  /** The environment variable that tells a toy backend its address. */
  readonly variable: string;
  /** The flag that names the user's own server. */
  readonly flag: string;
  readonly example: string;
  readonly defaultPort: number;
  /** Which parts of its address the command of an own app can use, as in `{redis.host}`. */
  readonly parts: readonly ('host' | 'port' | 'user' | 'password' | 'database')[];
  /** Returns what was expected instead of this address, without a password; undefined for an address that can be used. */
  readonly problem: (url: string) => string | undefined;
}

const host = String.raw`(?:[\w.-]+|\[[\da-f:.]+\])(?::(?<port>\d{1,5}))?`;
const credentials = String.raw`(?:[^\s/?#@]*@)?`;
const rest = String.raw`(?:[/?]\S*)?`;

export const storeDescriptors = {
  redis: {
    product: 'Redis',
    variable: 'REDIS_URL',
    flag: 'redis-url',
    example: 'redis://127.0.0.1:6379',
    defaultPort: 6379,
    parts: ['host', 'port'],
    problem: redisProblem,
  },
  memcached: {
    product: 'Memcached',
    variable: 'MEMCACHED_URL',
    flag: 'memcached',
    example: 'memcached://127.0.0.1:11211',
    defaultPort: 11_211,
    parts: ['host', 'port'],
    problem: memcachedProblem,
  },
  postgres: {
    product: 'PostgreSQL',
    variable: 'POSTGRES_URL',
    flag: 'postgres-url',
    example: 'postgresql://user@127.0.0.1:5432/db',
    defaultPort: 5432,
    parts: ['host', 'port', 'user', 'password', 'database'],
    problem: shaped(
      new RegExp(`^postgres(?:ql)?://${credentials}${host}${rest}$`, 'i'),
      'postgresql://user@127.0.0.1:5432/db',
    ),
  },
} as const satisfies Record<string, StoreDescriptor>;

export type StoreServerName = keyof typeof storeDescriptors;

export const storeNames = Object.keys(storeDescriptors) as readonly StoreServerName[];

/** Addresses by the name of the store server. */
export type StoreUrls = { readonly [store in StoreServerName]?: string };

function shaped(shape: RegExp, example: string): StoreDescriptor['problem'] {
  return url => {
    const found = shape.exec(url);
    if (found === null) return `expected an address such as ${example}`;
    const { port = 1 } = found.groups ?? {};
    return Number(port) >= 1 && Number(port) <= 65_535 ? undefined : `port ${port} is not within 1 and 65535`;
  };
}

/** Checks each of several addresses, separated by commas. */
function memcachedProblem(url: string): string | undefined {
  const problem = shaped(new RegExp(`^memcached://${host}/?$`, 'i'), storeDescriptors.memcached.example);
  const [first = '', ...others] = url.split(',');
  const problems = [first, ...others.map(other => `memcached://${other}`)].map(problem);
  return problems.find(each => each !== undefined);
}

function redisProblem(url: string): string | undefined {
  try {
    parseAddress(url);
    return undefined;
  } catch (error) {
    return messageOf(error);
  }
}
