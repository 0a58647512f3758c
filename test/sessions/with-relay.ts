import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';

/** A TCP relay in front of a server. It can lose replies, as a network does, and it counts round trips. */
interface Relay {
  readonly port: number;
  /** Drops every reply of the server from now on. */
  loseAnswers(): void;
  /** Number of writes by clients, on any connection, that did not follow an unanswered write. */
  roundTrips(): number;
  /** Closes every connection. New connections pass again. */
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
