import { expect } from 'chai';
import { maskPath } from '#src/proxy/telemetry/served-request.js';

describe('the path in the access log', () => {
  for (const [name, target, told] of [
    ['keeps a path unchanged', '/cart/7;v=1', '/cart/7;v=1'],
    ['drops the query, which may carry tokens', '/reset?token=abc', '/reset'],
    ['drops an empty query', '/?', '/'],
    ['drops a query that contains a question mark', '/a?b?c', '/a'],
    ['drops the user part of an absolute target', 'http://me:hush@shop.example/a?b', 'http://shop.example/a'],
    ['keeps an @ in a path', '/@me', '/@me'],
    ['keeps the asterisk of OPTIONS', '*', '*'],
    ['encodes bytes above ASCII', '/caf\u00c3\u00a9', '/caf%C3%A9'],
    ['encodes terminal control characters', '/\u009b31m\u001b[0m\r\n"x"', '/%9B31m%1B[0m%0D%0A"x"'],
    ['cuts a long path', `/${'a'.repeat(2000)}`, `/${'a'.repeat(1023)}...`],
  ] as const) {
    it(name, () => expect(maskPath(target)).to.equal(told));
  }
});
