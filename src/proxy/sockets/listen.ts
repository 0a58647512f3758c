import type { Server } from 'node:net';

/** A socket that another process opened and listens on: handed over by a predecessor, or a descriptor of systemd. */
export type OpenSocket = Server | { readonly fd: number };

/** How many connections may wait to be accepted. */
const backlogMax = 4096;

/** The address on which a server listens. */
export interface BoundAddress {
  readonly host: string;
  readonly port: number;
}

/**
 * Listens on the open socket, or else binds the address. Resolves when the port is bound. Rejects with the system's
 * error (`EADDRINUSE`, `EACCES`).
 */
export function listenOn(server: Server, { host, port }: BoundAddress, open?: OpenSocket): Promise<BoundAddress> {
  return new Promise((resolve, reject) => {
    const onListening = (): void => resolve(addressOf(server, open === undefined ? host : undefined));
    // Never removed: a failed accept (too few file descriptors) also emits `error`, and would end the process.
    server.on('error', reject);
    if (open === undefined) server.listen({ port, host, backlog: backlogMax }, onListening);
    else server.listen(open, backlogMax, onListening);
  });
}

/** Formats the address as the beginning of a URL. */
export function formatOrigin(scheme: 'http' | 'https', { host, port }: BoundAddress): string {
  return `${scheme}://${host.includes(':') ? `[${host}]` : host}:${port}`;
}

/** `given`: the host as it was asked for, which may be a name. */
function addressOf(server: Server, given: string | undefined): BoundAddress {
  const address = server.address();
  if (address === null || typeof address === 'string') throw new TypeError(`listening on ${address}, not on a port`);
  return { host: given ?? address.address, port: address.port };
}
