import { createServer, type Server } from 'node:http';
import { type HostMap, parseHost } from '../hosts.js';
import { listenOn, type OpenSocket } from '../sockets/listen.js';

const connectionsMax = 4096;
const requestMs = 10_000;
/** A connection that was accepted before the end has this time to send its request. */
const lingerMs = 2_000;
const targetCharsMax = 8 * 1024;
const httpsPort = 443;

export interface RedirectOptions {
  readonly host: string;
  readonly port: number;
  /** The port of the URLs with `https:`, as clients see it. */
  readonly publicPort: number;
}

/** The answer to one request. Without a location the request is refused. */
export type Redirection =
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
export interface RunningRedirect {
  readonly server: Server;
  readonly port: number;
  /** Stops accepting, and waits at most `withinMs` for requests that were not answered yet. */
  close(withinMs: number): Promise<void>;
}

/** Answers every request with a redirection to the same URL with `https:`. Rejects with the system's error. */
export async function startRedirect(
  options: RedirectOptions,
  served: () => HostMap<unknown>,
  socket?: OpenSocket,
): Promise<RunningRedirect> {
  const server = createServer({ requestTimeout: requestMs, headersTimeout: requestMs }, (request, response) => {
    const { host } = request.headers;
    const decided = decideRedirect(host, request.url ?? '', served(), options.publicPort);
    const body = 'reason' in decided ? `${decided.reason}\n` : '';
    const location = 'location' in decided ? { location: decided.location } : {};
    // One answer for each connection: the client goes on elsewhere. The body of the request is not read.
    const headers = { ...location, 'content-length': body.length, connection: 'close' };
    response.writeHead(decided.status, headers).end(request.method === 'HEAD' ? '' : body);
  });
  server.maxConnections = connectionsMax;
  const { port } = await listenOn(server, options, socket);
  return { server, port, close: withinMs => close(server, withinMs) };
}

function close(server: Server, withinMs: number): Promise<void> {
  return new Promise(resolve => {
    const timer = setTimeout(() => server.closeAllConnections(), Math.min(withinMs, lingerMs));
    server.close(() => {
      clearTimeout(timer);
      resolve();
    });
  });
}
