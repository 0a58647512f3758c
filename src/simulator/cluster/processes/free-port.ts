import { randomInt } from 'node:crypto';
import { createServer } from 'node:net';
import { LabError } from '../../errors.js';

/**
 * Lowest port. All ports are below the ranges that Linux (from 32768) and macOS (from 49152) use for outgoing
 * connections. Otherwise a client connection could get the port of a dead server: the restart of that server would
 * fail, and a probe of the dead port could even connect to itself.
 */
const lowest = 20_000;
const beyond = 32_000;
const triesMax = 200;
const listenTriesMax = 5;

const handedOut = new Set<number>();

/** Returns a loopback port that is free and that this process has not returned before. */
export async function freePort(): Promise<number> {
  for (let tries = 0; tries < triesMax; tries += 1) {
    const port = randomInt(lowest, beyond);
    if (handedOut.has(port) || !(await isFree(port, '127.0.0.1'))) continue;
    handedOut.add(port);
    return port;
  }
  throw new LabError(`no free port found between ${lowest} and ${beyond} in ${triesMax} tries; close some servers`);
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
