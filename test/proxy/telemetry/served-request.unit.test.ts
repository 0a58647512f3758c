import { expect } from 'chai';
import type { Exchange } from '#src/proxy/exchange.js';
import { buildRequestNamer, maskPath, parseTraceId } from '#src/proxy/telemetry/served-request.js';

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

const exchangeWith = (id: string | undefined) => ({ header: () => id }) as unknown as Exchange;
const trace = '4bf92f3577b34da6a3ce929d0e0e4736';
const span = '00f067aa0ba902b7';

describe('request ids', () => {
  it('names no request when off, and each one when set', () => {
    expect(buildRequestNamer('off')).to.equal(undefined);
    const ids = ['1', '2'];
    const name = buildRequestNamer('set', () => ids.shift() ?? '');
    expect([name?.(exchangeWith('theirs')), name?.(exchangeWith(undefined))]).to.deep.equal(['1', '2']);
    expect(buildRequestNamer('set')?.(exchangeWith(undefined))).to.match(/^[\da-f-]{36}$/);
  });

  for (const [id, kept] of [
    ['a', true],
    ['AZaz09_.:=+/-', true],
    ['x'.repeat(128), true],
    ['x'.repeat(129), false],
    ['', false],
    [undefined, false],
    ['a, b', false],
    ['a b', false],
    ['<b>', false],
    ['a"', false],
    ['\u00e9', false],
  ] as const) {
    it(`${kept ? 'keeps' : 'replaces'} the id "${id?.slice(0, 20)}" of a client when ids are trusted`, () =>
      expect(buildRequestNamer('trust', () => 'new')?.(exchangeWith(id))).to.equal(kept ? id : 'new'));
  }
});

describe('traceparent', () => {
  for (const [value, traceId] of [
    [`00-${trace}-${span}-01`, trace],
    [`cc-${trace}-${span}-01-later`, trace],
    [`cc-${trace}-${span}-01`, trace],
    [`00-${trace}-${span}-01-more`, undefined],
    [`ff-${trace}-${span}-01`, undefined],
    [`00-${'0'.repeat(32)}-${span}-01`, undefined],
    [`00-${trace}-${'0'.repeat(16)}-01`, undefined],
    [`00-${trace.toUpperCase()}-${span}-01`, undefined],
    [`00-${trace}-${span}-1`, undefined],
    [`00-${trace}-${span}-01, 00-${trace}-${span}-01`, undefined],
    ['', undefined],
    [undefined, undefined],
  ] as const) {
    it(`${traceId === undefined ? 'has no trace id' : 'has a trace id'} in "${value}"`, () =>
      expect(parseTraceId(value)).to.equal(traceId));
  }
});
