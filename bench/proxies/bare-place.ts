import { readFileSync } from 'node:fs';
import { createServer, type RequestListener, type Server } from 'node:http';
import { createServer as createSecureServer } from 'node:https';

/** The command line of every bench/proxies/bare-*.ts: port, ports of the backends, and the files for TLS. */
const [port = '', backends = '', certFile, keyFile] = process.argv.slice(2);

export const listenPort = Number(port);
export const backendPorts = backends.split(',').map(Number);
export const tls =
  certFile === undefined || keyFile === undefined
    ? undefined
    : { cert: readFileSync(certFile), key: readFileSync(keyFile) };

/** Returns a function that returns the items in turn. */
export function turns<T>(all: readonly T[]): () => T {
  let turn = 0;
  return () => {
    turn = (turn + 1) % all.length;
    const next = all[turn];
    if (next === undefined) throw new RangeError('no backend was given');
    return next;
  };
}

/** The default of Node, 5 s, would close idle connections while they are counted. */
const clientIdleMs = 75_000;

export function httpServer(onRequest: RequestListener): Server {
  const options = { keepAliveTimeout: clientIdleMs };
  return tls === undefined ? createServer(options, onRequest) : createSecureServer({ ...options, ...tls }, onRequest);
}

export function serveHttp(onRequest: RequestListener): void {
  httpServer(onRequest).listen({ port: listenPort, host: '127.0.0.1', backlog: 4096 });
}

// Exits normally on SIGTERM, so that a profile is written.
process.once('SIGTERM', () => process.exit());
