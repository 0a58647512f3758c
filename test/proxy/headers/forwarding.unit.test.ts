import { expect } from 'chai';
import { appendEntry, buildForwardedElement, isClientSecure } from '#src/proxy/headers/forwarding.js';

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
