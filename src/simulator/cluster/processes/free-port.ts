import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type Server } from 'node:net';
import { LabError } from '../../errors.js';

/**
 * Lowest port that `freePort` returns. All its ports are below the ranges that Linux (from 32768) and macOS (from 49152)
 * use for outgoing connections. Otherwise a client connection could get the port of a dead server: the restart of that
 * server would fail, and a probe of the dead port could even connect to itself.
 */
const lowest = 20_000;
const beyond = 32_000;
const triesMax = 200;
const listenTriesMax = 5;
/** Reservations that a process keeps; the oldest ends first. Each takes one descriptor. */
const reservationsMax = 256;
/** Number of ports that `listenNear` tries. */
const nearPortsMax = 20;

const handedOut = new Set<number>();
const reservations: Server[] = [];

/**
 * Returns a loopback port that is free, that this process has not returned before, and that no other process of
 * Holdfast has reserved. `pick` is called for each try.
 */
export async function freePort(pick = () => randomInt(lowest, beyond)): Promise<number> {
  for (let tries = 0; tries < triesMax; tries += 1) {
    const port = pick();
    if (handedOut.has(port) || !(await isFree(port, '127.0.0.1')) || !(await reserve(port))) continue;
    handedOut.add(port);
    return port;
  }
  throw new LabError(`no free port found between ${lowest} and ${beyond} in ${triesMax} tries; close some servers`);
}

/**
 * Reserves a port among processes of Holdfast. Otherwise two of them could choose the same port before a server of
 * either listens, or one could take the port of the other's dead server. The reservation is an abstract Unix socket,
 * which Linux removes with the process. Other systems have none, so there the race remains. Returns false if another
 * process has reserved the port.
 */
async function reserve(port: number): Promise<boolean> {
  if (process.platform !== 'linux') return true;
  const reservation = createServer().unref();
  try {
    reservation.listen(`\0holdfast-port-${port}`);
    await once(reservation, 'listening');
  } catch (error) {
    return !isPortTaken(error);
  }
  reservations.push(reservation);
  if (reservations.length > reservationsMax) reservations.shift()?.close();
  return true;
}

/** Calls `listen` with a free port. If another program takes the port at that moment, it calls it with another port. */
export async function onFreePort<T>(listen: (port: number) => Promise<T>): Promise<T> {
  for (let triesLeft = listenTriesMax; ; triesLeft -= 1) {
    try {
      return await listen(await freePort());
    } catch (error) {
      if (triesLeft <= 1 || !isPortTaken(error)) throw error;
    }
  }
}

/** Listens on the first free port of a host from this one on. Rejects with the error of the system when none is free. */
export async function listenNear(server: Server, host: string, wished: number): Promise<number> {
  for (let port = wished; ; port += 1) {
    try {
      server.listen({ host, port, exclusive: true });
      await once(server, 'listening');
      const address = server.address();
      return typeof address === 'object' && address !== null ? address.port : port;
    } catch (error) {
      if (!isPortTaken(error) || port + 1 >= wished + nearPortsMax || port >= 65_535) throw error;
    }
  }
}

function isPortTaken(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'EADDRINUSE';
}

export function isFree(port: number, host: string): Promise<boolean> {
  return new Promise(resolve => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen({ port, host, exclusive: true }, () => server.close(() => resolve(true)));
  });
}
