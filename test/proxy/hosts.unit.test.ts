import { expect } from 'chai';
import { buildPoolName } from '#src/commands/proxy/settings.js';
import { HostMap, isHostPattern, parseHost } from '#src/proxy/hosts.js';

describe('host of a request', () => {
  for (const [text, host] of [
    ['shop.example', 'shop.example'],
    ['Shop.Example:8443', 'shop.example'],
    ['shop.example.', 'shop.example'],
    ['127.0.0.1:80', '127.0.0.1'],
    ['[::1]:80', '[::1]'],
    ['localhost', 'localhost'],
    ['a_b.example', 'a_b.example'],
    ['', undefined],
    [':80', undefined],
    ['shop..example', undefined],
    ['-shop.example', undefined],
    ['shop.example/path', undefined],
    ['user@shop.example', undefined],
    ['shop.example:80:80', undefined],
    ['shop example', undefined],
    ['*.example', undefined],
    [`${'a'.repeat(64)}.example`, undefined],
    [`${'a.'.repeat(130)}example`, undefined],
  ] as const) {
    it(`reads "${text.slice(0, 40)}" as ${host ?? 'none'}`, () => expect(parseHost(text)).to.equal(host));
  }

  it('is found by its own entry first, then by the longest pattern', () => {
    const map = new HostMap(
      new Map([
        ['a.b.example', 1],
        ['*.b.example', 2],
        ['*.example', 3],
      ]),
      0,
    );
    const found = ['a.b.example', 'x.b.example', 'x.y.b.example', 'b.example', 'example', 'notexample', undefined, '/'];
    expect(found.map(host => map.find(host))).to.deep.equal([1, 2, 2, 3, 0, 0, 0, 0]);
  });

  it('has patterns of one form', () => {
    expect(['shop.example', '*.example', '*.a.b.example'].map(isHostPattern)).to.deep.equal([true, true, true]);
    expect(['*', '*.', 'a.*.example', '*a.example', 'Shop.example', 'a:80', ''].map(isHostPattern)).to.not.include(
      true,
    );
  });

  it('gives each pool a name that fits into a cookie name', () => {
    expect(buildPoolName('shop.example.com')).to.equal('shop_example_com');
    expect(buildPoolName('*.example.com')).to.equal('any_example_com');
    const [one, other] = ['a', 'b'].map(last => buildPoolName(`a-very-long-name-of-a-host.example.com${last}`));
    expect(one)
      .to.match(/^[a-z0-9_-]{32}$/)
      .and.to.not.equal(other);
  });
});
