import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';

/** A TCP relay in front of a server that can lose answers, as a network does, and counts. */
export interface Relay {
  readonly port: number;
  /** From now on what the server answers is swallowed. */
  loseAnswers(): void;
  /** How often a client has spoken, on any connection, that was not waiting for an answer there. */
  roundTrips(): number;
  /** Cuts every connection; the next ones pass again. */
  cut(): void;
}

export async function withRelay<T>(toPort: number, work: (relay: Relay) => Promise<T>): Promise<T> {
  const sockets = new Set<Socket>();
  let losesAnswers = false;
  let roundTrips = 0;
  const server = createServer(client => {
    const upstream = connect(toPort, '127.0.0.1');
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.on('error', () => undefined);
      socket.on('close', () => {
        sockets.delete(socket);
        client.destroy();
        upstream.destroy();
      });
    }
    let isWaiting = false;
    client.on('data', () => {
      if (!isWaiting) roundTrips += 1;
      isWaiting = true;
    });
    client.pipe(upstream);
    upstream.on('data', answer => {
      isWaiting = false;
      if (!losesAnswers) client.write(answer);
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  const cut = () => {
    losesAnswers = false;
    for (const socket of sockets) socket.destroy();
  };
  const loseAnswers = () => {
    losesAnswers = true;
  };
  try {
    return await work({
      port: typeof address === 'object' ? (address?.port ?? 0) : 0,
      loseAnswers,
      roundTrips: () => roundTrips,
      cut,
    });
  } finally {
    cut();
    server.close();
    await once(server, 'close');
  }
}
