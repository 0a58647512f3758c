import { expect } from 'chai';
import { readAnswer } from '#src/conformance/exchange.js';

const head = (...lines: readonly string[]) => `${['HTTP/1.1 200 OK', ...lines].join('\r\n')}\r\n\r\n`;
const chunked = head('Transfer-Encoding: chunked');

describe('the framing of an answer', () => {
  for (const [title, text, ended, expected] of [
    ['waits for the end of the head', 'HTTP/1.1 200 OK\r\n', undefined, undefined],
    ['has no answer when the connection ends in the head', 'HTTP/1.1 200 OK\r\n', 'fin', undefined],
    ['waits for all bytes of the length', `${head('content-length: 4')}abc`, undefined, undefined],
    ['ends with the last byte of the length', `${head('content-length: 4')}abcd`, undefined, ['abcd', true]],
    ['is cut off when the connection ends before its length', `${head('content-length: 4')}abc`, 'fin', ['abc', false]],
    ['is cut off by a reset', `${head('content-length: 4')}abc`, 'reset', ['abc', false]],
    ['waits for the last chunk', `${chunked}3\r\nabc\r\n`, undefined, undefined],
    ['ends with the last chunk', `${chunked}3\r\nabc\r\n0\r\n\r\n`, undefined, ['abc', true]],
    ['joins chunks', `${chunked}1\r\na\r\n2\r\nbc\r\n0\r\n\r\n`, undefined, ['abc', true]],
    ['reads trailers', `${chunked}1\r\na\r\n0\r\nx-end: 1\r\n\r\n`, undefined, ['a', true]],
    ['is cut off without the last chunk', `${chunked}3\r\nabc\r\n`, 'fin', ['abc', false]],
    ['is cut off within a chunk', `${chunked}5\r\nab`, 'fin', ['ab', false]],
    ['is cut off within the last line', `${chunked}1\r\na\r\n0\r\n`, 'fin', ['a', false]],
    [
      'prefers the chunks to a length',
      `${head('content-length: 1', 'transfer-encoding: chunked')}0\r\n\r\n`,
      undefined,
      ['', true],
    ],
    ['waits for the end of the connection without a length', `${head()}abc`, undefined, undefined],
    ['ends with the connection without a length', `${head()}abc`, 'fin', ['abc', true]],
    ['is cut off by a reset without a length', `${head()}abc`, 'reset', ['abc', false]],
    ['skips interim answers', `HTTP/1.1 100 Continue\r\n\r\n${head('content-length: 1')}a`, undefined, ['a', true]],
    ['has no body after 204', 'HTTP/1.1 204 No Content\r\n\r\n', undefined, ['', true]],
  ] as const) {
    it(title, () => {
      const answer = readAnswer(Buffer.from(text), ended);
      expect(answer && [answer.body, answer.complete]).to.deep.equal(expected);
    });
  }
});
