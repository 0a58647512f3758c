import { once } from 'node:events';
import type { Server } from 'node:net';

/** Number of ports to try. */
const portsMax = 20;

/** Listens on the first free port of a host from this one on. Rejects with the error of the system when none is free. */
export async function listenNear(server: Server, host: string, wished: number): Promise<number> {
  for (let port = wished; ; port += 1) {
    try {
      server.listen({ host, port, exclusive: true });
      await once(server, 'listening');
      const address = server.address();
      return typeof address === 'object' && address !== null ? address.port : port;
    } catch (error) {
      const isTaken = error instanceof Error && 'code' in error && error.code === 'EADDRINUSE';
      if (!isTaken || port + 1 >= wished + portsMax || port >= 65_535) throw error;
    }
  }
}
