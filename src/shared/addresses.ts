import { once } from 'node:events';
import { isIPv6, type Server } from 'node:net';

/** Returns an IPv4 address in IPv4 notation; a dual-stack socket reports it as IPv6. */
export function normalizeAddress(address: string): string {
  return address.replace(/^::ffff:(?=\d+\.)/i, '');
}

/** Returns the address, or the /64 network of an IPv6 address: one client usually has all addresses of its network. */
export function buildAddressKey(address: string): string {
  if (!isIPv6(address)) return address;
  const [left = '', right] = address.split('::');
  const groups = left === '' ? [] : left.split(':');
  const tail = right === undefined || right === '' ? [] : right.split(':');
  // An address that ends in IPv4 notation has one group less.
  const missing = 8 - groups.length - tail.length - (address.includes('.') ? 1 : 0);
  const all = right === undefined ? groups : [...groups, ...Array.from({ length: missing }, () => '0'), ...tail];
  return `${all.slice(0, 4).join(':')}::/64`;
}

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
