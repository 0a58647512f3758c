import { createServer, type Server } from 'node:http';
import { type HostMap, mapServedHosts, parseHost } from '../hosts.js';
import type { ProxyOptions } from '../options.js';
import type { ListeningSocket, OpenSockets, SocketName } from '../restart/takeover.js';
import { formatOrigin, listenOn, type OpenSocket } from '../sockets.js';
import { type AdminControl, startAdmin } from './admin.js';
import { startHealthListener } from './health-listener.js';
import type { SmallListener } from './small-server.js';

/** After a handover, requests that are on their way to this process are still answered for this time. */
const handoverLingerMs = 2_000;

/** The listeners beside the one for traffic: the admin API, the answers for probes, the redirects to `https:`. */
export class SideListeners {
  readonly #options: () => ProxyOptions;
  #admin: SmallListener | undefined;
  #health: SmallListener | undefined;
  #redirect: RunningRedirect | undefined;

  constructor(options: () => ProxyOptions) {
    this.#options = options;
  }

  get adminUrl(): string | undefined {
    return this.#admin?.url;
  }

  get healthUrl(): string | undefined {
    return this.#health?.url;
  }

  get redirectUrl(): string | undefined {
    return this.#redirect && formatOrigin('http', { host: this.#options().host, port: this.#redirect.port });
  }

  /**
   * Rejects with the system's error. The admin API comes last: a Unix socket takes the place of the predecessor's, which
   * must not happen if the start fails.
   */
  async start(control: AdminControl, sockets: OpenSockets): Promise<void> {
    const { admin, healthListen, redirect, host } = this.#options();
    if (healthListen !== undefined)
      this.#health = await startHealthListener(healthListen, control, {
        open: await sockets.take('health', healthListen),
      });
    if (redirect !== undefined) {
      const served = (): HostMap<true> => mapServedHosts(this.#options());
      const options = { ...redirect, host };
      this.#redirect = await startRedirect(options, served, await sockets.take('redirect', options));
    }
    if (admin === undefined) return;
    const taken =
      'path' in admin
        ? { mayReplace: await sockets.mayReplace('admin', admin.path) }
        : { open: await sockets.take('admin', admin) };
    this.#admin = await startAdmin(admin, control, taken);
  }

  /** Returns the server to hand over, with its configured address. */
  socketOf(name: Exclude<SocketName, 'traffic'>): ListeningSocket | undefined {
    const { host, admin, healthListen, redirect } = this.#options();
    if (name === 'redirect')
      return redirect && this.#redirect && { server: this.#redirect.server, address: { host, port: redirect.port } };
    const [listener, address] = name === 'admin' ? [this.#admin, admin] : [this.#health, healthListen];
    if (listener === undefined || address === undefined) return undefined;
    const { server } = listener;
    // The token is not handed over.
    if ('path' in address) return { server, address: { path: address.path } };
    return { server, address: { host: address.host, port: address.port } };
  }

  /** Closes the listeners slowly: a successor listens on the same sockets. */
  async handOver(): Promise<void> {
    await Promise.all([this.#admin?.close(handoverLingerMs), this.#health?.close(handoverLingerMs)]);
  }

  async closeRedirect(graceMs: number): Promise<void> {
    await this.#redirect?.close(graceMs);
  }

  async close(): Promise<void> {
    await Promise.all([this.#admin?.close(), this.#health?.close()]);
  }
}

const redirectConnectionsMax = 4096;
const redirectRequestMs = 10_000;
/** A connection that was accepted before the end has this time to send its request. */
const redirectLingerMs = 2_000;
const targetCharsMax = 8 * 1024;
const httpsPort = 443;

interface RedirectOptions {
  readonly host: string;
  readonly port: number;
  /** The port of the URLs with `https:`, as clients see it. */
  readonly publicPort: number;
}

/** The answer to one request. Without a location the request is refused. */
type Redirection =
  | { readonly status: 308; readonly location: string }
  | { readonly status: 400 | 421; readonly reason: string };

/**
 * Decides where a plain request leads. It never leads to another site: the host is the one that the client asked for,
 * and it must be a host that is served. `served` has all of them.
 */
export function decideRedirect(
  hostField: string | undefined,
  target: string,
  served: HostMap<unknown>,
  publicPort: number,
): Redirection {
  const host = hostField === undefined ? undefined : parseHost(hostField);
  if (host === undefined) return { status: 400, reason: 'The Host field names no host.' };
  // The absolute form and `*` are not for a gateway; other characters would have to be encoded.
  if (!/^\/[\x21-\x7e]*$/.test(target) || target.length > targetCharsMax)
    return { status: 400, reason: 'This request target is not served here.' };
  if (served.find(host) === undefined) return { status: 421, reason: 'No site of this name is served here.' };
  const port = publicPort === httpsPort ? '' : `:${publicPort}`;
  return { status: 308, location: `https://${host}${port}${target}` };
}

/** A running listener of `--redirect-https`. */
interface RunningRedirect {
  readonly server: Server;
  readonly port: number;
  /** Stops accepting, and waits at most `withinMs` for requests that were not answered yet. */
  close(withinMs: number): Promise<void>;
}

/** Answers every request with a redirection to the same URL with `https:`. Rejects with the system's error. */
async function startRedirect(
  options: RedirectOptions,
  served: () => HostMap<unknown>,
  socket?: OpenSocket,
): Promise<RunningRedirect> {
  const server = createServer(
    { requestTimeout: redirectRequestMs, headersTimeout: redirectRequestMs },
    (request, response) => {
      const { host } = request.headers;
      const decided = decideRedirect(host, request.url ?? '', served(), options.publicPort);
      const body = 'reason' in decided ? `${decided.reason}\n` : '';
      const location = 'location' in decided ? { location: decided.location } : {};
      // One answer for each connection: the client goes on elsewhere. The body of the request is not read.
      const headers = { ...location, 'content-length': body.length, connection: 'close' };
      response.writeHead(decided.status, headers).end(request.method === 'HEAD' ? '' : body);
    },
  );
  server.maxConnections = redirectConnectionsMax;
  const { port } = await listenOn(server, options, socket);
  return { server, port, close: withinMs => closeRedirect(server, withinMs) };
}

function closeRedirect(server: Server, withinMs: number): Promise<void> {
  return new Promise(resolve => {
    const timer = setTimeout(() => server.closeAllConnections(), Math.min(withinMs, redirectLingerMs));
    server.close(() => {
      clearTimeout(timer);
      resolve();
    });
  });
}
