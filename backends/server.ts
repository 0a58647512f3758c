import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { Server as TcpServer } from 'node:net';
import type { Duplex } from 'node:stream';
import { modes } from '#src/modes.js';
import { sessions as openSessions, type Sessions, type StoreTransition } from '#src/sessions/index.js';
import type { Accounts } from './accounts/accounts.js';
import { Passwords } from './accounts/passwords.js';
import { AddressTries } from './accounts/tries.js';
import { clientOf } from './call.js';
import { type CombinedDefects, plant } from './defects.js';
import type { Environment } from './environment.js';
import { shopPage } from './page.js';
import { NotMet, replyToRefusal } from './refusal.js';
import { addLabSwitches } from './routes/lab-switches.js';
import { answer, send, withSchema } from './routes/route.js';
import { RequestCounts, routesOf, type Self, type Shop } from './routes/routes.js';
import type { ProcessFolder } from './shared-list/process-folder.js';
import { SharedList } from './shared-list.js';

export interface RunningShop {
  readonly url: string;
  /** Refuses new connections, waits for answers in flight (at most 10 s), and closes the store. A second call is a
   * no-op. */
  close(): Promise<void>;
}

/** The state that changes while the process runs. */
interface State {
  draining: boolean;
  store: 'up' | 'down' | undefined;
  readonly inFlight: Set<ServerResponse>;
}

/** Starts the shop. In `folder`, it lists its sessions for the other backends. Rejects with the error of `listen`
 * (`EADDRINUSE`, `EACCES`, ...) if it cannot get the port. */
export async function startShop(
  environment: Environment,
  accounts: Accounts,
  folder: ProcessFolder | undefined,
): Promise<RunningShop> {
  const { backend, version, mode, host, port } = environment;
  const self: Self = { backend, version, incarnation: randomBytes(8).toString('hex'), mode };
  const state: State = { draining: false, store: undefined, inFlight: new Set() };
  const original = plant(environment.defects);
  // Replaces the clock before other modules keep a reference to `Date.now`.
  const defects = environment.lab ? addLabSwitches(original) : original;
  const sessions = await openShopSessions(state, environment, defects, folder);
  const server = serve(self, state, environment, defects, accounts, sessions);
  try {
    await once(server.listen(port, host), 'listening');
  } catch (error) {
    await sessions.close();
    throw error;
  }
  let closing: Promise<void> | undefined;
  return { url: urlOf(server, host), close: () => (closing ??= shutDown(state, server, sessions)) };
}

/**
 * Opens the sessions and waits for the store. So /health does not report ready before a session can be read. The
 * wait is short: a store that is down must not prevent the start. The backend serves sessions as soon as the store
 * does.
 */
async function openShopSessions(
  state: State,
  environment: Environment,
  defects: CombinedDefects,
  folder: ProcessFolder | undefined,
): Promise<Sessions> {
  const { mode, storeUrl, limits, keys, feedAgeMaxMs } = environment;
  const onTransition = ({ up, why }: StoreTransition) => {
    state.store = up ? 'up' : 'down';
    console.error(`the session store is ${up ? 'back' : 'lost'}: ${why}`);
  };
  const { store, revocation, decorateStore } = defects.sessions(modes[mode].store);
  const sessions = await openSessions({
    ...{
      store,
      // A planted defect may keep the sessions in memory although the mode has a store server.
      url: store === 'memory' ? undefined : storeUrl,
      strategy: modes[mode].strategy,
      limits,
      keys: keys.ring,
      onTransition,
      revocation,
      feedAgeMaxMs,
      describeClient: clientOf,
    },
    decorateStore: original =>
      decorateStore(folder === undefined ? original : new SharedList(original, folder, Date.now)),
  });
  const ready = await sessions.ready(storeReadyMs);
  if (modes[mode].store !== 'memory') state.store = ready ? 'up' : 'down';
  return sessions;
}

const storeReadyMs = 2_000;

function serve(
  self: Self,
  state: State,
  environment: Environment,
  defects: CombinedDefects,
  accounts: Accounts,
  sessions: Sessions,
): Server {
  const requestCounts = new RequestCounts();
  const { password, administratorPassword, keys, ballastBytes, workMs } = environment;
  const passwords = new Passwords(password, administratorPassword);
  const shop: Shop = {
    self,
    requestCounts,
    members: {
      accounts: defects.accounts(accounts),
      passwords,
      addresses: new AddressTries(),
      keys: keys.ring,
      ballast: 'x'.repeat(ballastBytes),
      sessions,
    },
    page: shopPage(environment.liveLab),
    draining: () => state.draining,
    store: () => state.store,
    feedAgeMs: () => sessions.feedAgeMs(),
    counts: () => sessions.counts,
    keys: () => environment.keys.ring().map(({ id }) => id),
  };
  const routes = defects.routes(withSchema(environment.sessionSchema, routesOf(shop)));
  const listener = defects.listener((request, response) => {
    stamp(self, state, response);
    requestCounts.countRequest();
    const start = () => void answer(routes, sessions, request, response);
    if (isOfLab(request)) return start();
    requestCounts.enter();
    response.on('close', () => requestCounts.leave());
    if (workMs === 0) start();
    else setTimeout(start, workMs);
  }, keys.ring);
  const server = createServer({ requireHostHeader: false, keepAliveTimeout: keepAliveMs }, listener);
  server.on('checkExpectation', (request: IncomingMessage, response: ServerResponse) => {
    stamp(self, state, response);
    send(response, replyToRefusal(new NotMet(request.headers.expect)));
  });
  server.on('clientError', (error, socket) => refuseBytes(self, error, socket));
  return server;
}

/** Requests of the proxy and the simulator, not of a user. */
function isOfLab({ url = '' }: IncomingMessage): boolean {
  return url === '/health' || url === '/stats' || url.startsWith('/lab');
}

/** Longer than any proxy keeps an idle connection. So the proxy closes first, and never uses a connection that was
 * closed. */
const keepAliveMs = 75_000;

/** Adds the name of the backend, and of this boot, to every answer. */
function stamp({ backend, incarnation, version }: Self, { draining, inFlight }: State, response: ServerResponse): void {
  response.setHeader('holdfast-backend', backend);
  response.setHeader('holdfast-incarnation', incarnation);
  if (version !== undefined) response.setHeader('holdfast-version', version);
  if (draining) response.setHeader('connection', 'close');
  inFlight.add(response);
  response.on('close', () => inFlight.delete(response));
}

/** Answers bytes that are not HTTP. There is no response object, so the answer is written by hand. */
function refuseBytes({ backend, incarnation }: Self, error: NodeJS.ErrnoException, socket: Duplex): void {
  const lines: Record<string, string> = {
    HPE_HEADER_OVERFLOW: '431 Request Header Fields Too Large',
    ERR_HTTP_REQUEST_TIMEOUT: '408 Request Timeout',
  };
  const status = lines[error.code ?? ''] ?? '400 Bad Request';
  const names = `holdfast-backend: ${backend}\r\nholdfast-incarnation: ${incarnation}`;
  if (!socket.writable) socket.destroy();
  else socket.end(`HTTP/1.1 ${status}\r\n${names}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n`);
}

async function shutDown(state: State, server: Server, sessions: Sessions): Promise<void> {
  state.draining = true;
  for (const response of state.inFlight) if (!response.headersSent) response.setHeader('connection', 'close');
  await drain(server);
  await sessions.close();
}

function urlOf(server: Server, host: string): string {
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  return `http://${host.includes(':') ? `[${host}]` : host}:${port}`;
}

/** How long an idle connection of a proxy stays open before it is closed. */
const idleMs = 500;
/** Time-out of an answer in flight. */
const inFlightMs = 10_000;

/**
 * Refuses new connections at once, and resolves when the last connection is closed.
 *
 * Idle connections stay open for a moment. `server.close()` would close them at once. A proxy that has just sent a POST
 * on one of them could not know whether it was carried out. Until it is closed, a request on such a connection is
 * answered with `connection: close`. By then, the proxy's health check has removed this backend.
 */
async function drain(server: Server): Promise<void> {
  const closed = new Promise<void>(resolve => TcpServer.prototype.close.call(server, () => resolve()));
  const idle = setTimeout(() => server.closeIdleConnections(), idleMs);
  const late = setTimeout(() => server.closeAllConnections(), inFlightMs);
  await closed;
  clearTimeout(idle);
  clearTimeout(late);
}
