/*
 * Requests that could be read in two ways, from RFC 9110 and 9112 and from the literature on request smuggling. After
 * each row a second request is pipelined, which must never be served.
 */

const get = (fields: string, line = 'GET / HTTP/1.1') => `${line}\r\nHost: x\r\n${fields}\r\n`;
const post = (fields: string, body = '', line = 'POST / HTTP/1.1') => `${line}\r\nHost: x\r\n${fields}\r\n${body}`;
const length = (value: string, body = 'abcde') => post(`Content-Length:${value}\r\n`, body);
const coding = (field: string) => post(`${field}\r\n`, '0\r\n\r\n');
const chunks = (body: string) => post('Transfer-Encoding: chunked\r\n', body);
const hosts = (...lines: string[]) => `GET / HTTP/1.1\r\n${lines.map(line => `${line}\r\n`).join('')}\r\n`;
const controls = Array.from({ length: 32 }, (_, code) => code).filter(code => ![9, 10, 13].includes(code));
const hex = (code: number) => `0x${code.toString(16).padStart(2, '0')}`;
const websocket = 'Connection: Upgrade\r\nUpgrade: websocket\r\n';

/** The bytes, and the allowed statuses if not 400. */
export type Row = readonly [bytes: string, ...statuses: number[]];

/** Refused after the head: nothing is offered, nothing forwarded. */
export const badHeads: Readonly<Record<string, Row>> = {
  // Two framings (RFC 9112 §6.3)
  'both a length and chunks': [post('Content-Length: 5\r\nTransfer-Encoding: chunked\r\n', '0\r\n\r\n')],
  'both chunks and a length': [post('Transfer-Encoding: chunked\r\nContent-Length: 5\r\n', '0\r\n\r\n')],
  'a length of 0 and chunks': [post('Content-Length: 0\r\nTransfer-Encoding: chunked\r\n', '0\r\n\r\n')],
  'two lengths': [post('Content-Length: 3\r\nContent-Length: 5\r\n', 'abcde')],
  'two lengths that are the same': [post('Content-Length: 5\r\nContent-Length: 5\r\n', 'abcde')],
  'two lengths in two spellings': [post('Content-Length: 5\r\ncontent-LENGTH: 0\r\n', 'abcde')],

  // Invalid lengths
  'a list of lengths': [length(' 5, 5')],
  'a length with a sign': [length(' +5')],
  'a negative length': [length(' -5')],
  'a length in hex': [length(' 0x5')],
  'a length with a fraction': [length(' 5.0')],
  'a length with an exponent': [length(' 5e0')],
  'a length with an underscore': [length(' 1_0')],
  'a length in quotes': [length(' "5"')],
  'an empty length': [length('')],
  'a blank length': [length(' ')],
  'a length with a space inside': [length(' 5 5')],
  'a length behind a vertical tab': [length(' \x0b5')],
  'a length in digits of another script': [length(' \xd9\xa5')],
  'a length with letters behind': [length(' 5abc')],
  'a length above 2^64': [length(' 18446744073709551621')],
  'a tab behind a length': [length(' 5\t')],
  'a length of 17 digits': [length(` ${'9'.repeat(17)}`)],
  'a length of a hundred digits': [length(` ${'9'.repeat(100)}`)],

  // Codings other than exactly chunked
  'a coding besides chunked': [coding('Transfer-Encoding: gzip, chunked')],
  'a coding behind chunked': [coding('Transfer-Encoding: chunked, gzip')],
  'chunked and identity': [coding('Transfer-Encoding: chunked, identity')],
  'identity alone': [coding('Transfer-Encoding: identity')],
  'chunked twice': [coding('Transfer-Encoding: chunked, chunked')],
  'chunked on two lines': [coding('Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked')],
  'two codings on two lines': [coding('Transfer-Encoding: identity\r\nTransfer-Encoding: chunked')],
  'two codings on two lines, chunked first': [coding('Transfer-Encoding: chunked\r\nTransfer-Encoding: x')],
  'a letter before chunked': [coding('Transfer-Encoding: xchunked')],
  'a letter behind chunked': [coding('Transfer-Encoding: chunkedx')],
  'chunked in quotes': [coding('Transfer-Encoding: "chunked"')],
  'chunked with a parameter': [coding('Transfer-Encoding: chunked;q=1')],
  'a comma behind chunked': [coding('Transfer-Encoding: chunked,')],
  'a comma before chunked': [coding('Transfer-Encoding: ,chunked')],
  'an empty coding': [coding('Transfer-Encoding:')],
  'a vertical tab before chunked': [coding('Transfer-Encoding: \x0bchunked')],
  'a vertical tab behind chunked': [coding('Transfer-Encoding: chunked\x0b')],
  'a form feed behind chunked': [coding('Transfer-Encoding: chunked\x0c')],
  'a no-break space before chunked': [coding('Transfer-Encoding: \xa0chunked')],
  'a NUL behind chunked': [coding('Transfer-Encoding: chunked\0')],
  'chunked on a folded line': [coding('Transfer-Encoding:\r\n chunked')],
  'chunked behind a bare LF': [coding('Transfer-Encoding:\nchunked')],
  'a space in the name of Transfer-Encoding': [coding('Transfer Encoding: chunked')],
  'a space behind the name of Transfer-Encoding': [coding('Transfer-Encoding : chunked')],
  'a tab behind the name of Transfer-Encoding': [coding('Transfer-Encoding\t: chunked')],
  'a vertical tab behind the name of Transfer-Encoding': [coding('Transfer-Encoding\x0b: chunked')],
  'a space before Transfer-Encoding, first of all': [
    'POST / HTTP/1.1\r\n Transfer-Encoding: chunked\r\nHost: x\r\n\r\n0\r\n\r\n',
  ],
  'Transfer-Encoding behind a bare LF': [coding('X: 1\nTransfer-Encoding: chunked')],
  'Transfer-Encoding behind a bare CR': [coding('X: 1\rTransfer-Encoding: chunked')],
  'chunks in HTTP/1.0': [post('Transfer-Encoding: chunked\r\n', '0\r\n\r\n', 'POST / HTTP/1.0')],

  // Lines
  'a bare LF behind every line': ['GET / HTTP/1.1\nHost: x\n\n'],
  'a bare LF behind the request line': ['GET / HTTP/1.1\nHost: x\r\n\r\n'],
  'a bare CR behind the request line': ['GET / HTTP/1.1\rHost: x\r\n\r\n'],
  'a bare LF behind a field': [get('X: 1\nY: 2\r\n')],
  'a bare CR in a value': [get('X: 1\r2\r\n')],
  'a bare CR behind a value': [get('X: 1\r\r\n')],
  'a bare LF before the end of the head': ['GET / HTTP/1.1\r\nHost: x\r\n\n'],
  'a bare CR before the end of the head': ['GET / HTTP/1.1\r\nHost: x\r\n\r\r\n'],
  'a folded line': [get('X-Y: 1\r\n 2\r\n')],
  'a line folded with a tab': [get('X-Y: 1\r\n\t2\r\n')],
  'a line that is folded and empty': [get('X-Y: 1\r\n \r\n')],
  'a space before the first field': ['GET / HTTP/1.1\r\n X: 1\r\nHost: x\r\n\r\n'],
  'a field that begins before the request line': ['X: 1\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n'],

  // Names and values
  'a space before the colon': [get('X-Y : 1\r\n')],
  'a tab before the colon': [get('X-Y\t: 1\r\n')],
  'an empty name': [get(': 1\r\n')],
  'a line without a colon': [get('X-Y\r\n')],
  'a byte above 0x7f in a name': [get('X\xe9: 1\r\n')],
  'a 0x7f in a name': [get('X\x7f: 1\r\n')],
  'a 0x7f in a value': [get('X: 1\x7f2\r\n')],
  ...Object.fromEntries([...'()[]{}<>@,;\\"/?='].map(sign => [`a "${sign}" in a name`, [get(`X${sign}Y: 1\r\n`)]])),
  ...Object.fromEntries(
    controls.map(code => [`a ${hex(code)} in a name`, [get(`X${String.fromCharCode(code)}Y: 1\r\n`)]]),
  ),
  ...Object.fromEntries(
    controls.map(code => [`a ${hex(code)} in a value`, [get(`X: 1${String.fromCharCode(code)}2\r\n`)]]),
  ),

  // The request line
  'a target that is not a path': ['GET x HTTP/1.1\r\nHost: x\r\n\r\n'],
  'no target': ['GET HTTP/1.1\r\nHost: x\r\n\r\n'],
  'two spaces before the target': ['GET  / HTTP/1.1\r\nHost: x\r\n\r\n'],
  'two spaces behind the target': ['GET /  HTTP/1.1\r\nHost: x\r\n\r\n'],
  'a tab before the target': ['GET\t/ HTTP/1.1\r\nHost: x\r\n\r\n'],
  'a tab in the target': ['GET /a\tb HTTP/1.1\r\nHost: x\r\n\r\n'],
  'a tab behind the target': ['GET /\tHTTP/1.1\r\nHost: x\r\n\r\n'],
  'a space in the target': ['GET /a b HTTP/1.1\r\nHost: x\r\n\r\n'],
  'a NUL in the target': ['GET /a\0b HTTP/1.1\r\nHost: x\r\n\r\n'],
  'a 0x7f in the target': ['GET /a\x7fb HTTP/1.1\r\nHost: x\r\n\r\n'],
  'a bare CR in the target': ['GET /a\rb HTTP/1.1\r\nHost: x\r\n\r\n'],
  'a fragment': ['GET /a#b HTTP/1.1\r\nHost: x\r\n\r\n'],
  'a space before the method': [' GET / HTTP/1.1\r\nHost: x\r\n\r\n'],
  'a method that is not a token': ['G(T / HTTP/1.1\r\nHost: x\r\n\r\n'],
  'a space behind the version': ['GET / HTTP/1.1 \r\nHost: x\r\n\r\n'],
  'letters behind the version': ['GET / HTTP/1.1x\r\nHost: x\r\n\r\n'],
  'a version in lower case': ['GET / http/1.1\r\nHost: x\r\n\r\n'],
  'a version with three digits': ['GET / HTTP/1.10\r\nHost: x\r\n\r\n'],
  'a version without a fraction': ['GET / HTTP/1\r\nHost: x\r\n\r\n'],
  'a version above 1.1': ['GET / HTTP/1.2\r\nHost: x\r\n\r\n'],
  'a version with another wire format': ['GET / HTTP/2.0\r\nHost: x\r\n\r\n'],
  'a version below 1.0': ['GET / HTTP/0.9\r\nHost: x\r\n\r\n'],
  'another protocol in place of HTTP': ['GET / ICE/1.0\r\nHost: x\r\n\r\n'],
  'the preface of HTTP/2': ['PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'],
  'no HTTP': ['hello\r\n\r\n'],
  'a TLS hello': ['\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03\r\n\r\n'],
  'a request of HTTP/0.9': ['GET /\r\n\r\n'],
  'a CONNECT': ['CONNECT y:443 HTTP/1.1\r\nHost: y:443\r\n\r\n', 501],
  'a CONNECT to a path': ['CONNECT / HTTP/1.1\r\nHost: x\r\n\r\n', 501, 400],
  'a CONNECT in absolute form': ['CONNECT http://x/ HTTP/1.1\r\nHost: x\r\n\r\n', 501, 400],
  'an asterisk with GET': ['GET * HTTP/1.1\r\nHost: x\r\n\r\n'],

  // Hosts (RFC 9112 §3.2)
  'no Host': [hosts('X: 1')],
  'two Hosts': [hosts('Host: x', 'Host: y')],
  'two Hosts that are the same': [hosts('Host: x', 'Host: x')],
  'two Hosts in two spellings': [hosts('Host: x', 'hOST: y')],
  'an empty Host': [hosts('Host:')],
  'a malformed Host': [hosts('Host: a b/c')],
  'a list of Hosts': [hosts('Host: x, y')],
  'a Host with a path': [hosts('Host: x/y')],
  'a Host with a user': [hosts('Host: user@x')],
  'a Host with a malformed port': [hosts('Host: x:y')],
  'a Host behind a space': [hosts('Host : x')],
  'a folded Host': [hosts('Host: x', ' y')],
  'a NUL in the Host': [hosts('Host: x\0y')],
  'no Host, but a target in absolute form': ['GET http://x/ HTTP/1.1\r\n\r\n'],
  'a user in a target in absolute form': ['GET http://user@x/ HTTP/1.1\r\nHost: x\r\n\r\n'],
  'no host in a target in absolute form': ['GET http:///a HTTP/1.1\r\nHost: x\r\n\r\n'],
  'another scheme in a target in absolute form': ['GET file://x/a HTTP/1.1\r\nHost: x\r\n\r\n'],

  // Upgrades
  'a body on an upgrade': [post(`${websocket}Content-Length: 5\r\n`, 'abcde')],
  'chunks on an upgrade': [post(`${websocket}Transfer-Encoding: chunked\r\n`, '0\r\n\r\n')],

  // Limits
  'a head that is too long': [get(`X: ${'x'.repeat(17_000)}\r\n`), 431],
  'a name that is too long': [get(`${'x'.repeat(17_000)}: 1\r\n`), 431],
  'too many fields': [get('X: 1\r\n'.repeat(100)), 431],
  'a target that alone is too long': [`GET /${'x'.repeat(17_000)} HTTP/1.1\r\nHost: x\r\n\r\n`, 414],
};

/** Refused in the body: the head may have been forwarded, but the request never becomes complete. */
export const badBodies: Readonly<Record<string, string>> = {
  'a tab behind chunked': coding('Transfer-Encoding: chunked\t'),
  'a chunk size that is no number': chunks('x\r\nabcde\r\n0\r\n\r\n'),
  'an empty chunk size': chunks('\r\nabcde\r\n0\r\n\r\n'),
  'a chunk size with 0x': chunks('0x5\r\nabcde\r\n0\r\n\r\n'),
  'a negative chunk size': chunks('-5\r\nabcde\r\n0\r\n\r\n'),
  'a chunk size with a sign': chunks('+5\r\nabcde\r\n0\r\n\r\n'),
  'a chunk size with letters behind': chunks('5g\r\nabcde\r\n0\r\n\r\n'),
  'a chunk size with an underscore': chunks('0_5\r\nabcde\r\n0\r\n\r\n'),
  'a chunk size of 2^64': chunks('10000000000000000\r\nabcde\r\n0\r\n\r\n'),
  'a chunk size that is 5 modulo 2^64': chunks('10000000000000005\r\nabcde\r\n0\r\n\r\n'),
  'a chunk size that is 5 modulo 2^32, with more digits than a number has': chunks(
    `f${'0'.repeat(24)}5\r\nabcde\r\n0\r\n\r\n`,
  ),
  'a space before a chunk size': chunks(' 5\r\nabcde\r\n0\r\n\r\n'),
  'a tab before a chunk size': chunks('\t5\r\nabcde\r\n0\r\n\r\n'),
  'a space in a chunk size': chunks('0 5\r\nabcde\r\n0\r\n\r\n'),
  'a vertical tab behind a chunk size': chunks('5\x0b\r\nabcde\r\n0\r\n\r\n'),
  'a NUL behind a chunk size': chunks('5\0\r\nabcde\r\n0\r\n\r\n'),
  'a comma behind a chunk size': chunks('5,5\r\nabcde\r\n0\r\n\r\n'),
  'a bare LF behind a chunk size': chunks('5\nabcde\r\n0\r\n\r\n'),
  'a bare CR behind a chunk size': chunks('5\rabcde\r\n0\r\n\r\n'),
  'two CRs behind a chunk size': chunks('5\r\r\nabcde\r\n0\r\n\r\n'),
  'a bare LF in an extension': chunks('5;a\nbcde\r\n0\r\n\r\n'),
  'a bare LF in an extension in quotes': chunks('5;a="\n"\r\nabcde\r\n0\r\n\r\n'),
  'a bare CR in an extension': chunks('5;a\rb\r\nabcde\r\n0\r\n\r\n'),
  'a NUL in an extension': chunks('5;a\0b\r\nabcde\r\n0\r\n\r\n'),
  'an extension that is too long': chunks(`5;${'a'.repeat(40_000)}\r\nabcde\r\n0\r\n\r\n`),
  'extensions that are too long together': chunks(`1;${'a'.repeat(1000)}\r\nx\r\n`.repeat(100)),
  'no CRLF behind a chunk': chunks('5\r\nabcde0\r\n\r\n'),
  'a bare LF behind a chunk': chunks('5\r\nabcde\n0\r\n\r\n'),
  'a bare CR behind a chunk': chunks('5\r\nabcde\r0\r\n\r\n'),
  'more behind a chunk than its size': chunks('5\r\nabcdef\r\n0\r\n\r\n'),
  'less in a chunk than its size': chunks('6\r\nabcde\r\n0\r\n\r\n'),
  'a bare LF behind the last chunk': chunks('5\r\nabcde\r\n0\n\r\n'),
  'a bare LF in place of the end': chunks('5\r\nabcde\r\n0\r\n\n'),
  'a bare CR in place of the end': chunks('5\r\nabcde\r\n0\r\n\rX'),
  'a bare LF in trailers': chunks('0\r\nX: 1\nY: 2\r\n\r\n'),
  'a bare CR in trailers': chunks('0\r\nX: 1\rY: 2\r\n\r\n'),
  'a space before the colon in trailers': chunks('0\r\nX : 1\r\n\r\n'),
  'a folded line in trailers': chunks('0\r\nX: 1\r\n 2\r\n\r\n'),
  'a NUL in trailers': chunks('0\r\nX: 1\x002\r\n\r\n'),
  'a line without a colon in trailers': chunks('0\r\nX\r\n\r\n'),
  'a request line in place of trailers': chunks('0\r\nGET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n'),
  'trailers that are too long': chunks(`0\r\nX: ${'x'.repeat(40_000)}\r\n\r\n`),
  'too many trailers': chunks(`0\r\n${'X-Y-Z: 123456789\r\n'.repeat(2500)}\r\n`),
};

/**
 * The request as a backend sees it, after the method: target, host, body, and names of required and forbidden fields.
 */
export interface Seen {
  readonly line: string;
  readonly host?: string;
  readonly body?: string;
  /** Present and absent fields, lower case. */
  readonly has?: readonly string[];
  readonly hasNot?: readonly string[];
  /** Names of the trailers, lower case. */
  readonly trailers?: readonly string[];
  readonly mayRefuse?: true;
}

/** Odd requests with one meaning. They are served with that meaning or refused; whatever is forwarded is valid. */
export const oddRequests: Readonly<Record<string, readonly [bytes: string, seen: Seen]>> = {
  'chunked with a capital': [coding('Transfer-Encoding: Chunked'), { line: 'POST /', body: '' }],
  'chunked in capitals': [coding('TRANSFER-ENCODING: CHUNKED'), { line: 'POST /', body: '' }],
  'a tab before chunked': [coding('Transfer-Encoding:\tchunked'), { line: 'POST /', body: '' }],
  'a space behind chunked': [coding('Transfer-Encoding: chunked '), { line: 'POST /', body: '' }],
  'spaces around chunked': [coding('Transfer-Encoding:   chunked   '), { line: 'POST /', body: '' }],
  'a space and a tab behind chunked': [
    coding('Transfer-Encoding: chunked \t'),
    { line: 'POST /', body: '', mayRefuse: true },
  ],
  'no space before chunked': [coding('Transfer-Encoding:chunked'), { line: 'POST /', body: '' }],
  'a space behind a length': [length(' 5 '), { line: 'POST /', body: 'abcde' }],
  'a tab before a length': [length('\t5'), { line: 'POST /', body: 'abcde' }],
  'zeros before a length': [length(' 00005'), { line: 'POST /', body: 'abcde' }],
  'chunks with extensions': [chunks('5;a=b\r\nabcde\r\n0;c="d;e"\r\n\r\n'), { line: 'POST /', body: 'abcde' }],
  'zeros before a chunk size': [chunks('000000000005\r\nabcde\r\n000\r\n\r\n'), { line: 'POST /', body: 'abcde' }],
  'many zeros before a chunk size': [
    chunks(`${'0'.repeat(40)}5\r\nabcde\r\n0\r\n\r\n`),
    { line: 'POST /', body: 'abcde', mayRefuse: true },
  ],
  'a chunk size in capitals': [chunks('A\r\n0123456789\r\n0\r\n\r\n'), { line: 'POST /', body: '0123456789' }],
  'a space behind a chunk size': [
    chunks('5 \r\nabcde\r\n0\r\n\r\n'),
    { line: 'POST /', body: 'abcde', mayRefuse: true },
  ],
  'trailers behind a body': [
    chunks('5\r\nabcde\r\n0\r\nX-Sum: 1\r\n\r\n'),
    { line: 'POST /', body: 'abcde', trailers: ['x-sum'] },
  ],
  'announced trailers that do not come': [length(' 5\r\nTrailer: X-Sum'), { line: 'POST /', body: 'abcde' }],
  'a length in trailers': [
    chunks('5\r\nabcde\r\n0\r\nContent-Length: 9\r\n\r\n'),
    { line: 'POST /', body: 'abcde', mayRefuse: true },
  ],
  'a coding in trailers': [
    chunks('5\r\nabcde\r\n0\r\nTransfer-Encoding: chunked\r\n\r\n'),
    { line: 'POST /', body: 'abcde', mayRefuse: true },
  ],
  'a Host in trailers': [
    chunks('5\r\nabcde\r\n0\r\nHost: y\r\n\r\n'),
    { line: 'POST /', host: 'x', body: 'abcde', mayRefuse: true },
  ],
  'an upgrade in trailers': [
    chunks('5\r\nabcde\r\n0\r\nUpgrade: websocket\r\n\r\n'),
    { line: 'POST /', body: 'abcde', hasNot: ['upgrade'], mayRefuse: true },
  ],
  'a cookie in trailers': [
    chunks('5\r\nabcde\r\n0\r\nCookie: holdfast=1\r\n\r\n'),
    { line: 'POST /', body: 'abcde', hasNot: ['cookie'], mayRefuse: true },
  ],
  'empty lines before the request': [`\r\n\r\n${get('')}`, { line: 'GET /' }],
  'a body on GET': [post('Content-Length: 5\r\n', 'abcde', 'GET / HTTP/1.1'), { line: 'GET /', body: 'abcde' }],
  'chunks on GET': [
    post('Transfer-Encoding: chunked\r\n', '5\r\nabcde\r\n0\r\n\r\n', 'GET / HTTP/1.1'),
    { line: 'GET /', body: 'abcde' },
  ],
  'a body on HEAD': [post('Content-Length: 5\r\n', 'abcde', 'HEAD / HTTP/1.1'), { line: 'HEAD /', body: 'abcde' }],
  'chunks on DELETE': [
    post('Transfer-Encoding: chunked\r\n', '5\r\nabcde\r\n0\r\n\r\n', 'DELETE / HTTP/1.1'),
    { line: 'DELETE /', body: 'abcde' },
  ],
  'a request of HTTP/1.0 without a Host': ['GET / HTTP/1.0\r\n\r\n', { line: 'GET /' }],
  'a Connection field that names Host': [get('Connection: host\r\n'), { line: 'GET /', host: 'x', has: ['host'] }],
  'a Connection field that names the length': [
    post('Connection: content-length\r\nContent-Length: 5\r\n', 'abcde'),
    { line: 'POST /', body: 'abcde' },
  ],
  'a Connection field that names the coding': [
    post('Connection: transfer-encoding\r\nTransfer-Encoding: chunked\r\n', '5\r\nabcde\r\n0\r\n\r\n'),
    { line: 'POST /', body: 'abcde' },
  ],
  'a Connection field that names fields in any spelling': [
    get('Connection: X-A,\tx-B ,close\r\nX-a: 1\r\nx-b: 2\r\nX-C: 3\r\n'),
    { line: 'GET /', has: ['x-c'], hasNot: ['x-a', 'x-b', 'close'] },
  ],
  'two Connection fields': [
    get('Connection: X-A\r\nX-A: 1\r\nConnection: X-B\r\nX-B: 2\r\n'),
    { line: 'GET /', hasNot: ['x-a', 'x-b'] },
  ],
  'a Connection field that names fields of the proxy': [
    get('Connection: x-forwarded-for, via, x-forwarded-host\r\n'),
    { line: 'GET /', has: ['x-forwarded-for', 'via', 'x-forwarded-host'] },
  ],
  'a target in absolute form and another Host': [
    'GET http://true.example/x?y HTTP/1.1\r\nHost: false.example\r\n\r\n',
    { line: 'GET /x?y', host: 'true.example' },
  ],
  'OPTIONS of a target in absolute form without a path': [
    'OPTIONS http://true.example HTTP/1.1\r\nHost: false.example\r\n\r\n',
    { line: 'OPTIONS *', host: 'true.example' },
  ],
  'an asterisk': ['OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n', { line: 'OPTIONS *' }],
  'a double slash': ['GET //y/x HTTP/1.1\r\nHost: x\r\n\r\n', { line: 'GET //y/x', host: 'x' }],
  'a CRLF in percent signs': ['GET /%0d%0aX:1 HTTP/1.1\r\nHost: x\r\n\r\n', { line: 'GET /%0d%0aX:1' }],
  'bytes above 0x7f in a value': [get('X: \xc3\xa9\xff\r\n'), { line: 'GET /', has: ['x'] }],
  'bytes above 0x7f in the target': [
    'GET /\xc3\xa9 HTTP/1.1\r\nHost: x\r\n\r\n',
    { line: 'GET /\xc3\xa9', mayRefuse: true },
  ],
  'an empty value': [get('X:\r\n'), { line: 'GET /', has: ['x'] }],
  'a TRACE': ['TRACE / HTTP/1.1\r\nHost: x\r\nMax-Forwards: 5\r\n\r\n', { line: 'TRACE /' }],
  'an unknown method': ['BREW / HTTP/1.1\r\nHost: x\r\n\r\n', { line: 'BREW /', mayRefuse: true }],
  'a method in lower case': ['get / HTTP/1.1\r\nHost: x\r\n\r\n', { line: 'get /', mayRefuse: true }],
  'a name of an object property': [get('__proto__: 1\r\nconstructor: 2\r\nX: 3\r\n'), { line: 'GET /', has: ['x'] }],
  'an unknown expectation': [get('Expect: 42-towels\r\n'), { line: 'GET /', hasNot: ['expect'], mayRefuse: true }],
  'an offer of h2c': [
    get('Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n'),
    { line: 'GET /', hasNot: ['upgrade', 'http2-settings'] },
  ],
  'an offer of h2c that Connection does not name': [
    get('Upgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n'),
    { line: 'GET /', hasNot: ['upgrade'] },
  ],
};
