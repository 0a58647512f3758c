import { randomInt } from 'node:crypto';
import { createServer } from 'node:net';
import { LabError } from '../../errors.js';

/**
 * Below the ranges from which Linux (32768 up) and macOS (49152 up) take the ports of outgoing connections. A port from
 * those could be lent to a client connection while its server is dead: the restart would fail, and a probe of the dead
 * port could even connect to itself.
 */
const lowest = 20_000;
const beyond = 32_000;
const triesMax = 200;

const handedOut = new Set<number>();

/** A loopback port that nobody listens on and that this process has not handed out before. */
export async function freePort(): Promise<number> {
  for (let tries = 0; tries < triesMax; tries += 1) {
    const port = randomInt(lowest, beyond);
    if (handedOut.has(port) || !(await isFree(port, '127.0.0.1'))) continue;
    handedOut.add(port);
    return port;
  }
  throw new LabError(`no free port found between ${lowest} and ${beyond} in ${triesMax} tries; close some servers`);
}

export function isFree(port: number, host: string): Promise<boolean> {
  return new Promise(resolve => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen({ port, host, exclusive: true }, () => server.close(() => resolve(true)));
  });
}
