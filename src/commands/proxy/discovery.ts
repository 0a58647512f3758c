import { Resolver } from 'node:dns/promises';
import { isIP } from 'node:net';
import { UsageError } from '../lib/flags.js';

/** A backend that DNS resolves to addresses: `name=http://host:port,weight=n` or `name=srv:service,weight=n`. */
interface ResolvableBackend {
  /** The question to DNS: `http:host` or `srv:service`. */
  readonly key: string;
  /** Builds the texts of the backends behind it, each as for `--backend`. */
  build(endpoints: readonly Endpoint[]): string[];
}

const shape = /^(?:([^=:/]*)=)?(srv:|http:\/\/)([^,]*)(,.*)?$/s;

export function isService(text: string): boolean {
  return shape.exec(text)?.[2] === 'srv:';
}

/** Reads a backend with a name to resolve; undefined for any other text, such as an address or an `https:` URL. */
function parseResolvableBackend(text: string): ResolvableBackend | undefined {
  const [, name, scheme, rest = '', weight = ''] = shape.exec(text) ?? [];
  if (scheme === undefined) return undefined;
  const own = (address: string, port: string) =>
    name === undefined ? '' : `${name}-${address.replaceAll(':', '-')}${port === '' ? '' : `-${port}`}=`;
  if (scheme === 'srv:') {
    const build = (all: readonly Endpoint[]) =>
      all.map(({ address, port }) => `${own(address, String(port))}http://${bracket(address)}:${port}${weight}`);
    return { key: text.slice(text.indexOf('srv:')).split(',')[0] ?? '', build };
  }
  const url = URL.canParse(`http://${rest}`) ? new URL(`http://${rest}`) : undefined;
  if (url === undefined || isIP(url.hostname.replace(/^\[|\]$/g, '')) !== 0 || url.hostname === 'localhost')
    return undefined;
  const port = url.port === '' ? '' : `:${url.port}`;
  const tail = rest.slice(rest.indexOf(url.hostname) + url.hostname.length).replace(/^:\d+/, '');
  const build = (all: readonly Endpoint[]) =>
    all.map(({ address }) => `${own(address, '')}http://${bracket(address)}${port}${tail}${weight}`);
  return { key: `http:${url.hostname}`, build };
}

function bracket(address: string): string {
  return isIP(address) === 6 ? `[${address}]` : address;
}

/**
 * Replaces backends that are named by host or service with one backend for each address, and asks DNS again at
 * intervals. Calls `onChange` when the addresses have changed.
 */
export class Discovery {
  readonly #onChange: () => void;
  readonly #known = new Map<string, KnownEndpoints>();
  #service: NameService | undefined;
  #settings = '';
  #timer: NodeJS.Timeout | undefined;

  constructor(onChange: () => void) {
    this.#onChange = onChange;
  }

  /** Resolves the names that are new. A host that cannot be resolved stays a backend with its name. */
  async expand(texts: readonly string[], everyMs: number, server: string | undefined): Promise<readonly string[]> {
    if (everyMs === 0) {
      const service = texts.find(isService);
      if (service === undefined) return this.#stopResolving(texts);
      throw new UsageError(`--backend "${service}": a service is resolved again and again; add --resolve 30s.`);
    }
    this.#configure(everyMs, server);
    const named = texts.map(text => ({ text, backend: parseResolvableBackend(text) }));
    const keys = new Set(named.flatMap(({ backend }) => backend?.key ?? []));
    for (const key of this.#known.keys()) if (!keys.has(key)) this.#known.delete(key);
    const added = [...keys].filter(key => !this.#known.has(key));
    for (const key of added) this.#known.set(key, new KnownEndpoints());
    await Promise.all(added.map(key => this.#ask(key)));
    const found = named.flatMap(({ text, backend }) => this.#build(text, backend));
    if (found.length === 0 && texts.length > 0)
      throw new UsageError(`--backend "${texts[0]}": DNS knows no address; see --resolver.`);
    return [...new Set(found)];
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#settings = '';
  }

  #stopResolving(texts: readonly string[]): readonly string[] {
    this.stop();
    this.#known.clear();
    return texts;
  }

  #configure(everyMs: number, server: string | undefined): void {
    const settings = `${everyMs} ${server}`;
    if (settings === this.#settings) return;
    this.stop();
    this.#settings = settings;
    this.#service = makeDnsService(server);
    this.#timer = setInterval(() => void this.#askAll(), everyMs).unref();
  }

  #build(text: string, backend: ResolvableBackend | undefined): readonly string[] {
    if (backend === undefined) return [text];
    const endpoints = this.#known.get(backend.key)?.all ?? [];
    return endpoints.length > 0 || isService(text) ? backend.build(endpoints) : [text];
  }

  async #askAll(): Promise<void> {
    const changed = await Promise.all([...this.#known.keys()].map(key => this.#ask(key)));
    if (changed.includes(true)) this.#onChange();
  }

  /** Returns whether the addresses have changed. A failure changes nothing. */
  async #ask(key: string): Promise<boolean> {
    const name = key.slice(key.indexOf(':') + 1);
    const service = this.#service;
    if (service === undefined) return false;
    const answer = key.startsWith('srv:') ? service.resolveService(name) : service.resolveHost(name);
    return await answer.then(
      endpoints => this.#known.get(key)?.update(endpoints) ?? false,
      () => false,
    );
  }
}

/** An address and a port where a backend answers. */
export interface Endpoint {
  readonly address: string;
  /** Undefined: the port that the operator gave. */
  readonly port: number | undefined;
}

/** Resolves names by DNS. Rejects when the name is unknown or no server answers. */
interface NameService {
  /** Returns the IPv4 and IPv6 addresses of a host. */
  resolveHost(host: string): Promise<readonly Endpoint[]>;
  /** Returns the addresses and ports behind a SRV record. */
  resolveService(name: string): Promise<readonly Endpoint[]>;
}

const timeoutMs = 2000;
const tries = 2;
/** An address is dropped when so many answers in a row did not have it: a server may send a part of its addresses. */
const missesMax = 3;

/** `server`: `10.0.0.2:53`; undefined: the servers of this machine. */
function makeDnsService(server: string | undefined): NameService {
  const resolver = new Resolver({ timeout: timeoutMs, tries });
  if (server !== undefined) resolver.setServers([server]);
  const resolveHost = async (host: string): Promise<readonly Endpoint[]> => {
    if (isIP(host) !== 0) return [{ address: host, port: undefined }];
    const [v4, v6] = await Promise.allSettled([resolver.resolve4(host), resolver.resolve6(host)]);
    if (v4.status === 'rejected' && v6.status === 'rejected') throw v4.reason;
    const found = [v4, v6].flatMap(answer => (answer.status === 'fulfilled' ? answer.value : []));
    return found.map(address => ({ address, port: undefined }));
  };
  const resolveService = async (name: string): Promise<readonly Endpoint[]> => {
    const records = await resolver.resolveSrv(name);
    // RFC 2782: others are asked only when none of the lowest priority can be reached.
    const first = Math.min(...records.map(({ priority }) => priority));
    const used = records.filter(({ priority }) => priority === first);
    const all = await Promise.all(used.map(async ({ name: host, port }) => ({ port, found: await resolveHost(host) })));
    return all.flatMap(({ port, found }) => found.map(({ address }) => ({ address, port })));
  };
  return { resolveHost, resolveService };
}

/**
 * The endpoints of one name over time. A failed answer changes nothing: DNS that is down takes no backend away. An
 * endpoint goes when several answers in a row did not have it.
 */
export class KnownEndpoints {
  readonly #misses = new Map<string, { readonly endpoint: Endpoint; missed: number }>();

  /** The endpoints in a constant order. */
  get all(): readonly Endpoint[] {
    return [...this.#misses].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, { endpoint }]) => endpoint);
  }

  /** Takes an answer. Returns whether `all` has changed. */
  update(answer: readonly Endpoint[]): boolean {
    let changed = false;
    const present = new Map(answer.map(endpoint => [keyOf(endpoint), endpoint]));
    for (const [key, endpoint] of present) {
      changed ||= !this.#misses.has(key);
      this.#misses.set(key, { endpoint, missed: 0 });
    }
    // An empty answer counts as a failure.
    if (present.size === 0) return false;
    for (const [key, known] of this.#misses) {
      if (present.has(key)) continue;
      known.missed += 1;
      if (known.missed >= missesMax) changed = this.#misses.delete(key);
    }
    return changed;
  }
}

function keyOf({ address, port }: Endpoint): string {
  return `${address} ${port ?? ''}`;
}
