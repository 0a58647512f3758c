/*
 * Answers of a broken backend, or of an attacker who speaks through it. Whatever they are, the next request's client
 * gets its own answer.
 */

const ok = (fields: string, body = '') => `HTTP/1.1 200 OK\r\n${fields}\r\n${body}`;
const two = ok('Content-Length: 2\r\n', 'ok');
const stray = ok('Content-Length: 5\r\nX-Stray: 1\r\n', 'stray');
const chunks = (body: string) => ok('Transfer-Encoding: chunked\r\n', body);
const line = (statusLine: string) => `${statusLine}\r\nContent-Length: 2\r\n\r\nok`;

/** Not valid as an answer: the client gets the proxy's own 502. */
export const badAnswerHeads: Readonly<Record<string, string>> = {
  'no HTTP': 'SSH-2.0-OpenSSH_9.2\r\n\r\n',
  'an answer of HTTP/0.9': '<html>ok</html>\r\n\r\n',
  'an answer of HTTP/2': 'HTTP/2 200 OK\r\nContent-Length: 2\r\n\r\nok',
  'an unknown version': line('HTTP/1.2 200 OK'),
  'a version in lower case': line('http/1.1 200 OK'),
  'a status of two digits': line('HTTP/1.1 99 Low'),
  'a status of four digits': line('HTTP/1.1 1000 High'),
  'a status below 100': line('HTTP/1.1 099 Low'),
  'a status in letters': line('HTTP/1.1 2OO OK'),
  'a status with a sign': line('HTTP/1.1 +20 OK'),
  'no status': line('HTTP/1.1 OK'),
  'two spaces before the status': line('HTTP/1.1  200 OK'),
  'a tab before the status': line('HTTP/1.1\t200 OK'),
  'a bare CR in the reason': line('HTTP/1.1 200 O\rK'),
  'a NUL in the reason': line('HTTP/1.1 200 O\0K'),
  'both a length and chunks': ok('Content-Length: 2\r\nTransfer-Encoding: chunked\r\n', '2\r\nok\r\n0\r\n\r\n'),
  'both chunks and a length': ok('Transfer-Encoding: chunked\r\nContent-Length: 2\r\n', '2\r\nok\r\n0\r\n\r\n'),
  'two lengths': ok('Content-Length: 2\r\nContent-Length: 3\r\n', 'ok!'),
  'a list of lengths': ok('Content-Length: 2, 3\r\n', 'ok!'),
  'a length with a sign': ok('Content-Length: +2\r\n', 'ok'),
  'a negative length': ok('Content-Length: -2\r\n', 'ok'),
  'a length in hex': ok('Content-Length: 0x2\r\n', 'ok'),
  'an empty length': ok('Content-Length:\r\n', 'ok'),
  'a length above 2^64': ok('Content-Length: 18446744073709551618\r\n', 'ok'),
  'a space before the colon': ok('Content-Length : 2\r\n', 'ok'),
  'an empty name': ok('Content-Length: 2\r\n: 1\r\n', 'ok'),
  'a line without a colon': ok('Content-Length: 2\r\nX\r\n', 'ok'),
  'a bad token in a name': ok('Content-Length: 2\r\nX(Y: 1\r\n', 'ok'),
  'a folded line': ok('Content-Length: 2\r\nX: 1\r\n 2\r\n', 'ok'),
  'a bare LF behind a field': ok('Content-Length: 2\r\nX: 1\nSet-Cookie: a=1\r\n', 'ok'),
  'a bare LF behind every line': 'HTTP/1.1 200 OK\nContent-Length: 2\n\nok',
  'a bare CR in a value': ok('Content-Length: 2\r\nX: 1\rSet-Cookie: a=1\r\n', 'ok'),
  'a NUL in a value': ok('Content-Length: 2\r\nX: 1\x002\r\n', 'ok'),
  'a control character in a value': ok('Content-Length: 2\r\nX: 1\x012\r\n', 'ok'),
  'an unrequested 101': `HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n${stray}`,
  'a 101 without a protocol': `HTTP/1.1 101 Switching Protocols\r\n\r\n${stray}`,
  'an interim answer of HTTP/1.0': `HTTP/1.0 100 Continue\r\n\r\n${two}`,
  'an interim answer of HTTP/1.0 that keeps its connection': `HTTP/1.0 103 Early Hints\r\nConnection: keep-alive\r\n\r\n${two}`,
  'an interim answer that closes the connection': `HTTP/1.1 103 Early Hints\r\nConnection: x, close\r\n\r\n${two}`,
  'a head that is too long': ok(`X: ${'x'.repeat(100_000)}\r\nContent-Length: 2\r\n`, 'ok'),
  'a head without an end': `HTTP/1.1 200 OK\r\n${'X: 1\r\n'.repeat(100_000)}`,
  'interim answers without an end': 'HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n'.repeat(2000),
};

/** The head may have been forwarded: the client sees an incomplete body, or gets the proxy's own 502. */
export const badAnswerBodies: Readonly<Record<string, string>> = {
  'a coding besides chunked': ok('Transfer-Encoding: gzip, chunked\r\n', '2\r\nok\r\n0\r\n\r\n'),
  'a coding that is not chunked': ok('Transfer-Encoding: xchunked\r\n', '2\r\nok\r\n0\r\n\r\n'),
  'a chunk size that is no number': chunks('x\r\nok\r\n0\r\n\r\n'),
  'a chunk size with 0x': chunks('0x2\r\nok\r\n0\r\n\r\n'),
  'a negative chunk size': chunks('-2\r\nok\r\n0\r\n\r\n'),
  'a chunk size that is 2 modulo 2^64': chunks('10000000000000002\r\nok\r\n0\r\n\r\n'),
  'a bare LF behind a chunk size': chunks('2\nok\r\n0\r\n\r\n'),
  'no CRLF behind a chunk': chunks('2\r\nok0\r\n\r\n'),
  'a bare LF behind a chunk': chunks('2\r\nok\n0\r\n\r\n'),
  'more behind a chunk than its size': chunks('2\r\nokay\r\n0\r\n\r\n'),
  'a bare LF in an extension': chunks('2;a\nok\r\n0\r\n\r\n'),
  'an extension that is too long': chunks(`2;${'a'.repeat(100_000)}\r\nok\r\n0\r\n\r\n`),
  'a bare LF in trailers': chunks('2\r\nok\r\n0\r\nX: 1\nY: 2\r\n\r\n'),
  'a folded line in trailers': chunks('2\r\nok\r\n0\r\nX: 1\r\n 2\r\n\r\n'),
  'an answer in place of trailers': chunks(`2\r\nok\r\n0\r\n${stray}`),
};

export interface Excess {
  readonly answer: string;
  /** Sent with the answer, or after it was forwarded. */
  readonly excess: string;
  readonly status: number;
  readonly text: string;
  readonly method?: string;
}

/** A complete answer with unrequested bytes after it. */
export const excesses: Readonly<Record<string, Excess>> = {
  'an answer behind an answer': { answer: two, excess: stray, status: 200, text: 'ok' },
  'an answer behind one in chunks': { answer: chunks('2\r\nok\r\n0\r\n\r\n'), excess: stray, status: 200, text: 'ok' },
  'bytes behind an answer': { answer: two, excess: 'x', status: 200, text: 'ok' },
  'a line behind an answer': { answer: two, excess: '\r\n', status: 200, text: 'ok' },
  'half a head behind an answer': { answer: two, excess: 'HTTP/1.1 200 OK\r\nX: ', status: 200, text: 'ok' },
  'an interim answer behind an answer': {
    answer: two,
    excess: 'HTTP/1.1 103 Early Hints\r\n\r\n',
    status: 200,
    text: 'ok',
  },
  'a body on 204': { answer: 'HTTP/1.1 204 No Content\r\n\r\n', excess: stray, status: 204, text: '' },
  'a length and a body on 204': {
    answer: `HTTP/1.1 204 No Content\r\nContent-Length: ${stray.length}\r\n\r\n`,
    excess: stray,
    status: 204,
    text: '',
  },
  'trailers announced on 204': {
    answer: 'HTTP/1.1 204 No Content\r\nTrailer: X-Sum\r\n\r\n',
    excess: stray,
    status: 204,
    text: '',
  },
  'chunks on 204': {
    answer: 'HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n',
    excess: '0\r\n\r\n',
    status: 204,
    text: '',
  },
  'a length and a body on 304': {
    answer: `HTTP/1.1 304 Not Modified\r\nContent-Length: ${stray.length}\r\n\r\n`,
    excess: stray,
    status: 304,
    text: '',
  },
  'a body in answer to HEAD': {
    answer: ok(`Content-Length: ${stray.length}\r\n`),
    excess: stray,
    status: 200,
    text: '',
    method: 'HEAD',
  },
};
