import { expect } from 'chai';
import { deriveClientAddress } from '#src/proxy/headers/client-address.js';
import { buildTrustList } from '#src/proxy/headers/trusted-peers.js';

const isTrusted = buildTrustList(['10.0.0.0/8', 'fd00::/8']);
const peer = '10.0.0.1';

describe('the address of a client behind trusted proxies', () => {
  const rows: readonly [forwardedFor: string | undefined, forwarded: string | undefined, address: string][] = [
    [undefined, undefined, peer],
    ['192.0.2.7', undefined, '192.0.2.7'],
    ['192.0.2.7', 'for=192.0.2.8', '192.0.2.7'],
    ['6.6.6.6, 192.0.2.7', undefined, '192.0.2.7'],
    ['6.6.6.6,192.0.2.7 ,\t10.9.9.9,10.8.8.8', undefined, '192.0.2.7'],
    ['10.3.3.3, 10.2.2.2', undefined, '10.3.3.3'],
    ['192.0.2.7:4711', undefined, '192.0.2.7'],
    ['2001:DB8:0::7', undefined, '2001:db8::7'],
    ['[2001:db8::7]:4711, fd00::1', undefined, '2001:db8::7'],
    ['::ffff:192.0.2.7', undefined, '192.0.2.7'],
    ['::ffff:10.2.2.2', undefined, '10.2.2.2'],
    ['', undefined, peer],
    ['6.6.6.6,', undefined, peer],
    ['6.6.6.6, unknown, 10.2.2.2', undefined, '10.2.2.2'],
    ['6.6.6.6, <script>', undefined, peer],
    ['fe80::1%eth0', undefined, peer],
    ['[192.0.2.7]', undefined, peer],
    [`6.6.6.6${', 10.2.2.2'.repeat(70)}`, undefined, '10.2.2.2'],
    [undefined, 'for=192.0.2.7', '192.0.2.7'],
    [undefined, 'for=6.6.6.6;proto=https, proto=http;For="[2001:db8::7]:4711" , for=10.2.2.2', '2001:db8::7'],
    [undefined, 'for=192.0.2.7;host="x, for=6.6.6.6"', '192.0.2.7'],
    [undefined, 'for=192.0.2.7;host="\\", for=6.6.6.6;host="', '192.0.2.7'],
    [undefined, 'for=6.6.6.6, for=_hidden', peer],
    [undefined, 'for=6.6.6.6, proto=https', peer],
  ];
  for (const [forwardedFor, forwarded, address] of rows) {
    const said = [forwardedFor, forwarded].map(value => `${value}`.slice(0, 60)).join(' | ');
    it(`is ${address} for "${said}"`, () =>
      expect(deriveClientAddress(peer, { forwardedFor, forwarded }, isTrusted)).to.equal(address));
  }
});
