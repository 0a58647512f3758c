import { type ClientRequest, Agent as HttpAgent } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import type { Duplex } from 'node:stream';
import { type BackendTls, buildBackendTlsOptions } from '../../sockets.js';

/** Connections that were established: a request that failed on one may have reached the backend. */
const established = new WeakSet<Duplex>();

/**
 * Idle connections are closed after this time. It must be set for another reason too. Without it Node's agent ignores a
 * shorter `Keep-Alive: timeout=…` from the backend. It would then reuse connections that are about to close.
 */
const idleMs = 55_000;
/** Idle connections to one backend. Any more are closed at once. */
const idleMax = 256;

/** The agents for one protocol, http: or https:. */
interface Agents {
  /** Keeps connections for the next request. */
  readonly pooled: HttpAgent;
  /** Opens a connection per request: for a retry after a stale pooled connection. */
  readonly fresh: HttpAgent;
}

export function wasEstablished(socket: Duplex | null): boolean {
  return socket !== null && established.has(socket);
}

export class BackendAgents {
  readonly #plain: Agents;
  readonly #tls: Agents;

  /** A connection not established within `connectMs` fails with the code `ETIMEDOUT`. */
  constructor(connectMs: number, backendTls: BackendTls | undefined) {
    const pooled = { keepAlive: true, maxSockets: Number.POSITIVE_INFINITY, maxFreeSockets: idleMax, timeout: idleMs };
    this.#plain = { pooled: new PlainAgent(pooled, connectMs), fresh: new PlainAgent({}, connectMs) };
    this.#tls = {
      pooled: new TlsAgent(pooled, connectMs, backendTls),
      fresh: new TlsAgent({}, connectMs, backendTls),
    };
  }

  for(url: URL): Agents {
    return url.protocol === 'https:' ? this.#tls : this.#plain;
  }

  close(): void {
    for (const { pooled, fresh } of [this.#plain, this.#tls]) {
      pooled.destroy();
      fresh.destroy();
    }
  }
}

type Made = Duplex | null | undefined;

class PlainAgent extends HttpAgent {
  readonly #connectMs: number;

  constructor(options: ConstructorParameters<typeof HttpAgent>[0], connectMs: number) {
    super(options);
    this.#connectMs = connectMs;
  }

  override createConnection(...given: Parameters<HttpAgent['createConnection']>): Made {
    return limitConnectTime(super.createConnection(...given), 'connect', this.#connectMs);
  }

  override reuseSocket(socket: Duplex, request: ClientRequest): void {
    socket.removeListener('data', destroyIdle);
    super.reuseSocket(socket, request);
  }
}

class TlsAgent extends HttpsAgent {
  readonly #connectMs: number;
  readonly #backendTls: BackendTls | undefined;

  constructor(
    options: ConstructorParameters<typeof HttpsAgent>[0],
    connectMs: number,
    backendTls: BackendTls | undefined,
  ) {
    // Without this name Node takes the request's Host field, and keeps a separate pool for each.
    super({ ...options, servername: '' });
    this.#connectMs = connectMs;
    this.#backendTls = backendTls;
  }

  override createConnection(...[options, made]: Parameters<HttpsAgent['createConnection']>): Made {
    const tls = buildBackendTlsOptions(options.host ?? '', this.#backendTls);
    return limitConnectTime(super.createConnection({ ...options, ...tls }, made), 'secureConnect', this.#connectMs);
  }
}

/** Closes an idle connection on unrequested bytes: they would answer the next request. */
function destroyIdle(this: Duplex): void {
  this.destroy();
}

function limitConnectTime(socket: Made, ready: 'connect' | 'secureConnect', connectMs: number): Made {
  if (!socket) return socket;
  const giveUp = () => {
    socket.destroy(Object.assign(new Error(`no connection within ${connectMs} ms`), { code: 'ETIMEDOUT' }));
  };
  const timer = setTimeout(giveUp, connectMs);
  socket.on('free', () => socket.on('data', destroyIdle));
  socket.once('close', () => clearTimeout(timer));
  socket.once(ready, () => {
    clearTimeout(timer);
    established.add(socket);
  });
  return socket;
}
