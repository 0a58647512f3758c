import { once } from 'node:events';
import { createServer, type RequestListener } from 'node:http';

/** Serves a listener over real HTTP on a free port. Closes it with all its connections afterwards. */
export async function withHttpServer<T>(listener: RequestListener, work: (origin: string) => Promise<T>): Promise<T> {
  const server = createServer(listener).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  const port = typeof address === 'object' ? address?.port : undefined;
  try {
    return await work(`http://127.0.0.1:${port}`);
  } finally {
    server.closeAllConnections();
    server.close();
    await once(server, 'close');
  }
}
