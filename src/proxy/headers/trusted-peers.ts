import { BlockList, isIP, SocketAddress } from 'node:net';

/** Whether what this peer says about its own client (X-Forwarded-For, X-Forwarded-Proto) is believed. */
export type IsTrusted = (address: string) => boolean;

export const nobodyTrusted: IsTrusted = () => false;

/**
 * Addresses and networks such as `127.0.0.1`, `10.0.0.0/8` or `fd00::/8`: the TLS terminators that stand in front.
 * Throws `RangeError` for anything else.
 */
export function trustedPeers(entries: readonly string[]): IsTrusted {
  if (entries.length === 0) return nobodyTrusted;
  const list = new BlockList();
  for (const entry of entries) add(list, entry);
  return address => {
    const version = isIP(address);
    return version !== 0 && list.check(address, version === 4 ? 'ipv4' : 'ipv6');
  };
}

/** A dual-stack socket writes an IPv4 peer as an IPv6 address; everywhere else it is in its own notation. */
export function plainAddress(address: string): string {
  return address.startsWith('::ffff:') && address.includes('.') ? address.slice(7) : address;
}

/** Its shortest form, whatever it was written like. `address` is a valid one. */
export function plainIpv6(address: string): string {
  return plainAddress(new SocketAddress({ address, family: 'ipv6' }).address);
}

function add(list: BlockList, entry: string): void {
  const [, given = '', prefix] = /^([^/]+)(?:\/(\d{1,3}))?$/.exec(entry) ?? [];
  const address = isIP(given) === 6 ? plainIpv6(given) : given;
  const version = isIP(address);
  const bitsMax = version === 4 ? 32 : 128;
  // An IPv4 network that is written as an IPv6 one: the first 96 bits say only that.
  const mappedBits = version === 4 && given !== address ? 96 : 0;
  const bits = prefix === undefined ? bitsMax : Number(prefix) - mappedBits;
  if (version === 0 || bits < 0 || bits > bitsMax) {
    throw new RangeError(`"${entry}": expected an address or a network such as 127.0.0.1, 10.0.0.0/8 or fd00::/8`);
  }
  list.addSubnet(address, bits, version === 4 ? 'ipv4' : 'ipv6');
}
