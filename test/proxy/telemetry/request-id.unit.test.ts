import { expect } from 'chai';
import type { Exchange } from '#src/proxy/exchange.js';
import { buildRequestNamer, parseTraceId } from '#src/proxy/telemetry/request-id.js';

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
