import { isIPv6 } from 'node:net';

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
