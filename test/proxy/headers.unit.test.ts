import { expect } from 'chai';
import {
  appendEntry,
  buildForwardedElement,
  buildTrustList,
  deriveClientAddress,
  isClientSecure,
  readCookieValue,
  removeCookie,
  trustNone,
} from '#src/proxy/headers.js';

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

describe('forwarding', () => {
  const elements: readonly [address: string, host: string | undefined, secure: boolean, element: string][] = [
    ['192.0.2.7', 'shop.example', true, 'for=192.0.2.7;host=shop.example;proto=https'],
    ['192.0.2.7', 'shop.example:8080', false, 'for=192.0.2.7;host="shop.example:8080";proto=http'],
    ['2001:db8::7', '[::1]:8080', true, 'for="[2001:db8::7]";host="[::1]:8080";proto=https'],
    ['192.0.2.7', undefined, false, 'for=192.0.2.7;proto=http'],
    ['192.0.2.7', '', false, 'for=192.0.2.7;host="";proto=http'],
    ['', 'a;b', false, 'for=unknown;host="a;b";proto=http'],
    ['192.0.2.7', 'a"b\\c,for=6.6.6.6', false, 'for=192.0.2.7;host="a\\"b\\\\c,for=6.6.6.6";proto=http'],
  ];
  for (const [address, host, secure, element] of elements) {
    it(`tells ${element}`, () => expect(buildForwardedElement(address, host, secure)).to.equal(element));
  }

  it('appends to the present value', () => {
    expect(appendEntry(undefined, 'b')).to.equal('b');
    expect(appendEntry('', 'b')).to.equal('b');
    expect(appendEntry('a, c', 'b')).to.equal('a, c, b');
  });

  const said: readonly [overTls: boolean, said: string | undefined, secure: boolean][] = [
    [false, undefined, false],
    [true, undefined, true],
    [false, 'https', true],
    [false, 'HTTPS', true],
    [false, 'http, https', true],
    [false, 'https,http', false],
    [true, 'http', false],
    [true, '', true],
    [true, 'https, ', true],
    [false, 'https ', true],
    [false, 'httpsx', false],
  ];
  for (const [overTls, word, secure] of said) {
    it(`${overTls ? 'TLS' : 'plain'}, and a trusted peer says "${word}": ${secure ? 'secure' : 'not secure'}`, () =>
      expect(isClientSecure(overTls, word)).to.equal(secure));
  }
});

describe('the Cookie header at the proxy', () => {
  it('returns the value of one exact name without the blanks around it', () => {
    expect(readCookieValue('a=1; holdfast=\t x \t; b=2', 'holdfast', 0)).to.equal('x');
    expect(readCookieValue('holdfast=1;holdfast=2', 'holdfast', 1)).to.equal('2');
    expect(readCookieValue('xholdfast=1', 'holdfast', 0)).to.equal(undefined);
    expect(readCookieValue(undefined, 'holdfast', 0)).to.equal(undefined);
  });

  it('removes the named cookie and nothing else', () => {
    expect(removeCookie('holdfast=1; a=2;holdfast=3', 'holdfast')).to.equal('a=2');
    expect(removeCookie(' holdfast=1 ', 'holdfast')).to.equal(undefined);
    expect(removeCookie('xholdfast=1', 'holdfast')).to.equal('xholdfast=1');
  });

  it('treats byte A0 as a part of the name, as browsers do', () => {
    const planted = '\u00a0__Host-session=planted';
    expect(removeCookie(`holdfast=1;${planted}`, 'holdfast')).to.equal(planted);
    expect(readCookieValue('\u00a0holdfast=1', 'holdfast', 0)).to.equal(undefined);
  });
});
