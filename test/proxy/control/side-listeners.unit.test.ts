import { expect } from 'chai';
import { decideRedirect } from '#src/proxy/control/side-listeners.js';
import { HostMap } from '#src/proxy/hosts.js';

describe('redirection to https', () => {
  const served = new HostMap<true>(new Map([['shop.example', true]]), undefined);
  const all = new HostMap<true>(new Map(), true);

  for (const [host, target, hosts, port, expected] of [
    ['shop.example', '/a?b=c', served, 443, 'https://shop.example/a?b=c'],
    ['SHOP.example:80', '/', served, 8443, 'https://shop.example:8443/'],
    ['[::1]:80', '/', all, 443, 'https://[::1]/'],
    ['shop.example', '//evil.test/', served, 443, 'https://shop.example//evil.test/'],
    ['evil.test', '/', served, 443, 421],
    ['evil.test/', '/', all, 443, 400],
    ['shop.example@evil.test', '/', all, 443, 400],
    [undefined, '/', all, 443, 400],
    ['shop.example', 'http://evil.test/', all, 443, 400],
    ['shop.example', '*', all, 443, 400],
    ['shop.example', '/ä', all, 443, 400],
    ['shop.example', `/${'a'.repeat(9000)}`, all, 443, 400],
  ] as const) {
    it(`answers ${expected} to ${host} ${target.slice(0, 30)}`, () => {
      const decided = decideRedirect(host, target, hosts, port);
      expect('location' in decided ? decided.location : decided.status).to.equal(expected);
    });
  }
});
