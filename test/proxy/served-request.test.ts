import { expect } from 'chai';
import { tellable } from '#src/proxy/served-request.js';

describe('what is told of a request target', () => {
  for (const [name, target, told] of [
    ['a path as it is', '/cart/7;v=1', '/cart/7;v=1'],
    ['no query: tokens travel there', '/reset?token=abc', '/reset'],
    ['nothing after a bare question mark', '/?', '/'],
    ['no query that holds another', '/a?b?c', '/a'],
    ['no user part of an absolute target', 'http://me:hush@shop.example/a?b', 'http://shop.example/a'],
    ['an @ in a path', '/@me', '/@me'],
    ['the asterisk of OPTIONS', '*', '*'],
    ['bytes above ASCII as bytes', '/caf\u00c3\u00a9', '/caf%C3%A9'],
    ['what would steer a terminal as text', '/\u009b31m\u001b[0m\r\n"x"', '/%9B31m%1B[0m%0D%0A"x"'],
    ['a long one up to a limit', `/${'a'.repeat(2000)}`, `/${'a'.repeat(1023)}...`],
  ] as const) {
    it(name, () => expect(tellable(target)).to.equal(told));
  }
});
