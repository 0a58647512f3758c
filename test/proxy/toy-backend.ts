import { createServer, type IncomingMessage, type RequestListener, type Server } from 'node:http';
import { type AddressInfo, createServer as createTcpServer, type Socket, type Server as TcpServer } from 'node:net';

export interface Toy {
  readonly name: string;
  readonly url: URL;
  readonly server: Server;
  /** Heads of the requests that arrived, without health checks. */
  readonly seen: IncomingMessage[];
  incarnation: string | undefined;
  healthy: boolean;
  stop(): Promise<void>;
}

/** Starts a real HTTP server on a free port, or on the port of a stopped one. By default it answers with its name. */
export async function startToy(name: string, handle?: RequestListener, port = 0): Promise<Toy> {
  const server = createServer((request, response) => {
    if (toy.incarnation !== undefined) response.setHeader('holdfast-incarnation', toy.incarnation);
    if (request.url === '/health') {
      response.writeHead(toy.healthy ? 200 : 503).end();
      return;
    }
    toy.seen.push(request);
    if (handle !== undefined) handle(request, response);
    else response.end(name);
  });
  await new Promise<void>(resolve => server.listen(port, '127.0.0.1', resolve));
  const url = urlOf(server);
  const toy: Toy = {
    name,
    url,
    server,
    seen: [],
    incarnation: `${name}-boot-1`,
    healthy: true,
    stop: () => stop(server),
  };
  return toy;
}

async function stop(server: Server): Promise<void> {
  if (!server.listening) return;
  const closed = new Promise<void>(resolve => server.close(() => resolve()));
  server.closeAllConnections();
  await closed;
}

/** Runs the backends while `use` runs. */
export async function withToys(
  handles: readonly (RequestListener | undefined)[],
  use: (...toys: Toy[]) => Promise<void>,
): Promise<void> {
  const toys = await Promise.all(handles.map((handle, index) => startToy(`backend-${index + 1}`, handle)));
  try {
    await use(...toys);
  } finally {
    await Promise.all(toys.map(toy => toy.stop()));
  }
}

/** Runs a TCP backend: the test decides what it does with each connection. */
export async function withTcp(
  onSocket: (socket: Socket, nth: number) => void,
  use: (url: URL) => Promise<void>,
): Promise<void> {
  const sockets = new Set<Socket>();
  let nth = 0;
  const server = createTcpServer({ allowHalfOpen: true }, socket => {
    sockets.add(socket);
    socket.on('error', () => {});
    socket.on('close', () => sockets.delete(socket));
    nth += 1;
    onSocket(socket, nth);
  });
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  try {
    await use(urlOf(server));
  } finally {
    for (const socket of sockets) socket.destroy();
    await new Promise<void>(resolve => server.close(() => resolve()));
  }
}

/** Returns a URL whose port was free a moment ago, so nothing listens on it. */
export async function deadUrl(): Promise<URL> {
  const toy = await startToy('gone');
  await toy.stop();
  return toy.url;
}

export function urlOf(server: TcpServer): URL {
  const { port } = server.address() as AddressInfo;
  return new URL(`http://127.0.0.1:${port}`);
}
