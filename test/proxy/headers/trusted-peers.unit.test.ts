import { expect } from 'chai';
import { buildTrustList, trustNone } from '#src/proxy/headers/trusted-peers.js';

describe('trusted peers', () => {
  it('trusts no peer when the list is empty', () => {
    expect(buildTrustList([])).to.equal(trustNone);
    expect(trustNone('127.0.0.1')).to.equal(false);
  });

  const trusts = buildTrustList([
    '10.1.0.0/16',
    '192.0.2.7',
    'fd00::/8',
    '::1',
    '::ffff:198.51.100.0/120',
    '::FFFF:c633:6507',
  ]);
  const rows: readonly [address: string, trusted: boolean][] = [
    ['10.1.255.255', true],
    ['10.2.0.0', false],
    ['192.0.2.7', true],
    ['192.0.2.8', false],
    ['fd12::5', true],
    ['fe80::1', false],
    ['::1', true],
    ['::2', false],
    ['198.51.100.9', true],
    ['198.51.101.7', true],
    ['198.51.101.8', false],
    ['', false],
    ['localhost', false],
  ];
  for (const [address, trusted] of rows) {
    it(`${trusted ? 'trusts' : 'does not trust'} "${address}"`, () => expect(trusts(address)).to.equal(trusted));
  }

  for (const entry of [
    '',
    'localhost',
    '10.0.0.0/33',
    'fd00::/129',
    '10.0.0.0/',
    '10.0.0.0/8/8',
    '10.0.0/8',
    '*',
    '::ffff:10.0.0.0/95',
  ]) {
    it(`refuses "${entry}"`, () => {
      expect(() => buildTrustList([entry])).to.throw(RangeError, 'expected an address or a network');
    });
  }
});
