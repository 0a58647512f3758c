import { once } from 'node:events';
import { createServer } from 'node:http';

/** A server of the attacker, on a real socket: whoever connects has been made to. */
export interface Listener {
  readonly url: string;
  /** So many connections there have been. */
  connections(): number;
}

/** It answers everything with `answer`. */
export async function withListener<T>(answer: string, work: (listener: Listener) => Promise<T>): Promise<T> {
  let connections = 0;
  const server = createServer((_request, response) => {
    response.writeHead(200, { 'content-type': 'application/json', connection: 'close' }).end(answer);
  });
  server.on('connection', () => {
    connections += 1;
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  try {
    return await work({ url: `http://127.0.0.1:${port}`, connections: () => connections });
  } finally {
    server.closeAllConnections();
    server.close();
  }
}
