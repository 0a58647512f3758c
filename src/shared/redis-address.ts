import { maskUrl } from './text.js';

/** A host and the port on which it listens. */
export interface ServerAddress {
  readonly host: string;
  readonly port: number;
}

/** The parsed form of `--redis-url` and REDIS_URL. */
export interface RedisAddress {
  /** `single`: one server. `sentinel`: the primary that Sentinel names. `cluster`: the nodes of a cluster. */
  readonly kind: 'single' | 'sentinel' | 'cluster';
  /** The server, or the first addresses to contact: some sentinels, or some nodes. */
  readonly places: readonly [ServerAddress, ...ServerAddress[]];
  /** The name under which Sentinel watches the primary. */
  readonly primary: string | undefined;
  /** True: every connection uses TLS, to sentinels too. */
  readonly tls: boolean;
  /** The file with the certificates of the authorities to trust (PEM). Undefined: those of Node.js. */
  readonly ca: string | undefined;
  /** The user for the Redis servers. */
  readonly username: string | undefined;
  readonly password: string | undefined;
  /** True: the sentinels get the same user and password. False: they get none. */
  readonly sentinelLogin: boolean;
  readonly database: number;
  /** Number of replicas that must have received a login or a logout before it is acknowledged. */
  readonly replicas: number;
}

interface Scheme {
  readonly kind: RedisAddress['kind'];
  readonly tls: boolean;
  readonly portDefault: number;
  readonly example: string;
  readonly path: RegExp;
}

const schemes: Readonly<Record<string, Scheme>> = {
  redis: {
    kind: 'single',
    tls: false,
    portDefault: 6379,
    example: 'redis://127.0.0.1:6379/0',
    path: /^\/?(?<database>\d{1,4})?$/,
  },
  rediss: {
    kind: 'single',
    tls: true,
    portDefault: 6379,
    example: 'rediss://redis.example:6379/0',
    path: /^\/?(?<database>\d{1,4})?$/,
  },
  'redis+sentinel': {
    kind: 'sentinel',
    tls: false,
    portDefault: 26_379,
    example: 'redis+sentinel://h1:26379,h2:26379,h3:26379/<name of the primary>',
    path: /^\/(?<primary>[A-Za-z0-9._-]+)(?:\/(?<database>\d{1,4})?)?$/,
  },
  'rediss+sentinel': {
    kind: 'sentinel',
    tls: true,
    portDefault: 26_379,
    example: 'rediss+sentinel://h1:26379,h2:26379,h3:26379/<name of the primary>',
    path: /^\/(?<primary>[A-Za-z0-9._-]+)(?:\/(?<database>\d{1,4})?)?$/,
  },
  'redis+cluster': {
    kind: 'cluster',
    tls: false,
    portDefault: 6379,
    example: 'redis+cluster://h1:6379,h2:6379,h3:6379',
    path: /^\/?$/,
  },
  'rediss+cluster': {
    kind: 'cluster',
    tls: true,
    portDefault: 6379,
    example: 'rediss+cluster://h1:6379,h2:6379,h3:6379',
    path: /^\/?$/,
  },
};

/** The only `@` allowed is the one before the hosts, so that no part of a password is mistaken for a public part. */
const shape =
  /^(?<scheme>[a-z+]+):\/\/(?:(?<user>[^:@/?#\s]*)(?::(?<password>[^@/?#\s]*))?@)?(?<hosts>[^@/?#]*)(?<path>\/[^@?#]*)?(?:\?(?<query>[^@#]*))?$/;
const hostShape = /^(?<host>[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::(?<port>\d{1,5}))?$/;
const replicasMax = 100;

/** Parses an address. Throws an error that says what is wrong and what is expected, and that never shows a password. */
export function parseAddress(url: string | undefined): RedisAddress {
  if (url === undefined || url === '') throw wrong('none was given', undefined);
  const { scheme: name = '', hosts = '', path = '', query, ...login } = shape.exec(url)?.groups ?? {};
  const scheme = Object.hasOwn(schemes, name) ? schemes[name] : undefined;
  if (scheme === undefined) throw wrong(`"${maskUrl(url)}" is none`, undefined);
  const refuse = (problem: string) => wrong(`${problem} in "${maskUrl(url)}"`, scheme);
  const parts = scheme.path.exec(path);
  if (parts === null) throw refuse(pathProblem(scheme, path));
  if (login.user && !login.password) throw refuse('a user without a password');
  return {
    kind: scheme.kind,
    tls: scheme.tls,
    places: placesOf(hosts, scheme, refuse),
    primary: parts.groups?.primary,
    username: decoded(login.user, refuse),
    password: decoded(login.password, refuse),
    database: Number(parts.groups?.database ?? 0),
    ...readOptions(query, scheme, refuse),
  };
}

type Refuse = (problem: string) => Error;

function placesOf(text: string, { kind, portDefault }: Scheme, refuse: Refuse): [ServerAddress, ...ServerAddress[]] {
  const [first, ...others] = text.split(',').map(part => placeOf(part, portDefault, refuse));
  if (first === undefined) throw refuse('no host');
  if (kind === 'single' && others.length > 0) {
    throw refuse('more than one host, which only redis+sentinel:// and redis+cluster:// take,');
  }
  return [first, ...others];
}

/** Parses one `host:port`. Refuses an empty host: it would mean this machine, which the user did not ask for. */
function placeOf(text: string, portDefault: number, refuse: Refuse): ServerAddress {
  const { host, port } = hostShape.exec(text)?.groups ?? {};
  if (host === undefined) throw refuse(text === '' ? 'an empty host' : `"${text}" is not a host:port`);
  const number = port === undefined ? portDefault : Number(port);
  if (number < 1 || number > 65_535) throw refuse(`port ${port} is not within 1 and 65535`);
  return { host: host.replace(/^\[|\]$/g, ''), port: number };
}

function pathProblem({ kind }: Scheme, path: string): string {
  if (kind === 'cluster') return `"${path}": a cluster has no databases,`;
  if (kind === 'single') return `"${path}" is not the number of a database`;
  return path.length > 1 ? `"${path}" is not the name of a primary` : 'the name of the primary is missing';
}

function decoded(text: string | undefined, refuse: Refuse): string | undefined {
  if (text === undefined || text === '') return undefined;
  try {
    return decodeURIComponent(text);
  } catch {
    throw refuse('user and password must be percent-encoded');
  }
}

type Options = Pick<RedisAddress, 'replicas' | 'ca' | 'sentinelLogin'>;

/** Parses the options behind the question mark. Each may occur once. */
function readOptions(query: string | undefined, scheme: Scheme, refuse: Refuse): Options {
  const given = new Map<string, string>();
  for (const pair of query === undefined ? [] : query.split('&')) {
    const [name = '', value = ''] = pair.split(/=(.*)/s);
    if (!['replicas', 'ca', 'sentinel-login'].includes(name))
      throw refuse(`"${name}": the options are replicas=<number>, ca=<file> and sentinel-login=same,`);
    if (given.has(name)) throw refuse(`the option ${name} twice`);
    given.set(name, value);
  }
  return {
    replicas: replicasOf(given.get('replicas'), refuse),
    ca: authorityOf(given.get('ca'), scheme, refuse),
    sentinelLogin: sentinelLoginOf(given.get('sentinel-login'), scheme, refuse),
  };
}

function replicasOf(text: string | undefined, refuse: Refuse): number {
  const number = /^\d{1,3}$/.test(text ?? '0') ? Number(text ?? 0) : Number.NaN;
  if (!(number <= replicasMax)) throw refuse(`replicas=${text} is not a number from 0 to ${replicasMax}`);
  return number;
}

function authorityOf(text: string | undefined, { tls }: Scheme, refuse: Refuse): string | undefined {
  if (text === undefined) return undefined;
  if (!tls) throw refuse('ca= without TLS (rediss://, rediss+sentinel://, rediss+cluster://)');
  const file = decoded(text, refuse);
  if (file === undefined) throw refuse('ca= without a file');
  return file;
}

function sentinelLoginOf(text: string | undefined, { kind }: Scheme, refuse: Refuse): boolean {
  if (text === undefined) return false;
  if (kind !== 'sentinel') throw refuse('sentinel-login= without sentinels');
  if (text !== 'same') throw refuse(`sentinel-login=${text}: the only value is "same",`);
  return true;
}

function wrong(problem: string, scheme: Scheme | undefined): Error {
  const examples = scheme === undefined ? Object.values(schemes).map(({ example }) => example) : [scheme.example];
  return new Error(`expected an address of Redis such as ${examples.join(', ')}; ${problem}`);
}
