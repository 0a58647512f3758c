import { BlockList, isIP } from 'node:net';

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

function add(list: BlockList, entry: string): void {
  const [, address = '', prefix] = /^([^/]+)(?:\/(\d{1,3}))?$/.exec(entry) ?? [];
  const version = isIP(address);
  const bitsMax = version === 4 ? 32 : 128;
  const bits = prefix === undefined ? bitsMax : Number(prefix);
  if (version === 0 || bits > bitsMax) {
    throw new RangeError(`"${entry}": expected an address or a network such as 127.0.0.1, 10.0.0.0/8 or fd00::/8`);
  }
  list.addSubnet(address, bits, version === 4 ? 'ipv4' : 'ipv6');
}
