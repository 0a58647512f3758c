import { BlockList, isIP, SocketAddress } from 'node:net';
import { normalizeAddress } from '../../shared/client-address.js';

/** Whether this peer's statements about its client (X-Forwarded-For, X-Forwarded-Proto) are believed. */
export type IsTrusted = (address: string) => boolean;

export const trustNone: IsTrusted = () => false;

/**
 * Builds the trust list from addresses and networks such as `127.0.0.1`, `10.0.0.0/8` or `fd00::/8`. They are the TLS
 * terminators in front of the proxy. Throws `RangeError` for anything else.
 */
export function buildTrustList(entries: readonly string[]): IsTrusted {
  if (entries.length === 0) return trustNone;
  const list = new BlockList();
  for (const entry of entries) add(list, entry);
  return address => {
    const version = isIP(address);
    return version !== 0 && list.check(address, version === 4 ? 'ipv4' : 'ipv6');
  };
}

/** Returns the shortest form of a valid IPv6 address. */
export function normalizeIpv6(address: string): string {
  return normalizeAddress(new SocketAddress({ address, family: 'ipv6' }).address);
}

function add(list: BlockList, entry: string): void {
  const [, given = '', prefix] = /^([^/]+)(?:\/(\d{1,3}))?$/.exec(entry) ?? [];
  const address = isIP(given) === 6 ? normalizeIpv6(given) : given;
  const version = isIP(address);
  const bitsMax = version === 4 ? 32 : 128;
  // An IPv4 network written as IPv6: the first 96 bits only mark it as IPv4.
  const mappedBits = version === 4 && given !== address ? 96 : 0;
  const bits = prefix === undefined ? bitsMax : Number(prefix) - mappedBits;
  if (version === 0 || bits < 0 || bits > bitsMax) {
    throw new RangeError(`"${entry}": expected an address or a network such as 127.0.0.1, 10.0.0.0/8 or fd00::/8`);
  }
  list.addSubnet(address, bits, version === 4 ? 'ipv4' : 'ipv6');
}
