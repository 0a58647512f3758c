import { expect } from 'chai';
import { readHttp2Request } from '#src/proxy/engines/wire/h2/heads.js';
import { RequestHead } from '#src/proxy/engines/wire/request-head.js';
import { type Fields, getFields, postFields } from './frames.js';

const limits = { headerBytesMax: 1024, headerFieldsMax: 20, bodyBytesMax: 0 };

function read(fields: Fields, ended = true): ReturnType<typeof readHttp2Request> {
  return readHttp2Request(fields.flat(), ended, limits);
}

function without(name: string): Fields {
  return getFields().filter(([each]) => each !== name);
}

function replace(name: string, value: string): Fields {
  return getFields().map(([each, before]) => [each, each === name ? value : before]);
}

/** Fields of a request that must not be forwarded. The status is 400 where none is given. */
const refused: Readonly<Record<string, readonly [fields: Fields, status?: number]>> = {
  'no :method': [without(':method')],
  'no :scheme': [without(':scheme')],
  'no :path': [without(':path')],
  'no :authority and no Host': [without(':authority')],
  'an empty :method': [replace(':method', '')],
  'a :method with a space': [replace(':method', 'GET /x')],
  'a :method in lower case': [replace(':method', 'get'), 501],
  'an unknown :method': [replace(':method', 'BREW'), 501],
  CONNECT: [
    [
      [':method', 'CONNECT'],
      [':authority', 'shop.example:443'],
    ],
    501,
  ],
  'extended CONNECT': [getFields('/', [':protocol', 'websocket'])],
  'an unknown pseudo-header field': [getFields('/', [':status', '200'])],
  'a pseudo-header field twice': [[...getFields(), [':path', '/other']]],
  'a pseudo-header field behind a regular one': [[[':method', 'GET'], ['x-a', '1'], ...getFields().slice(1)]],
  'another scheme': [replace(':scheme', 'ftp')],
  'an empty :path': [replace(':path', '')],
  'a :path without a slash': [replace(':path', 'admin')],
  'a :path with a host': [replace(':path', 'http://other.example/')],
  'a :path of * for GET': [replace(':path', '*')],
  'a :path with a space': [replace(':path', '/a HTTP/1.1')],
  'a :path with a line end': [replace(':path', '/a\r\nx: y')],
  'a :path with a fragment': [replace(':path', '/a#b')],
  'a :path with bytes above ASCII': [replace(':path', '/\xe9')],
  'an :authority with a line end': [replace(':authority', 'a\r\nx: y')],
  'an :authority with a user': [replace(':authority', 'user@shop.example')],
  'an :authority with a path': [replace(':authority', 'shop.example/x')],
  'an empty :authority': [replace(':authority', '')],
  'a Host that differs from :authority': [getFields('/', ['host', 'other.example'])],
  'Host twice': [getFields('/', ['host', 'shop.example'], ['host', 'shop.example'])],
  connection: [getFields('/', ['connection', 'close'])],
  'keep-alive': [getFields('/', ['keep-alive', 'timeout=5'])],
  'proxy-connection': [getFields('/', ['proxy-connection', 'close'])],
  'transfer-encoding': [getFields('/', ['transfer-encoding', 'chunked'])],
  upgrade: [getFields('/', ['upgrade', 'websocket'])],
  'http2-settings': [getFields('/', ['http2-settings', 'AAMAAABk'])],
  'te other than trailers': [getFields('/', ['te', 'gzip'])],
  'te with a list': [getFields('/', ['te', 'trailers, gzip'])],
  'an upper-case letter in a name': [getFields('/', ['X-a', '1'])],
  'an empty name': [getFields('/', ['', '1'])],
  'a space in a name': [getFields('/', ['x a', '1'])],
  'a colon in a name': [getFields('/', ['x:a', '1'])],
  'a line end in a name': [getFields('/', ['x\r\ny', '1'])],
  'CR in a value': [getFields('/', ['x', 'a\rb'])],
  'LF in a value': [getFields('/', ['x', 'a\nb'])],
  'NUL in a value': [getFields('/', ['x', 'a\0b'])],
  'DEL in a value': [getFields('/', ['x', 'a\x7fb'])],
  'a space before a value': [getFields('/', ['x', ' a'])],
  'a tab behind a value': [getFields('/', ['x', 'a\t'])],
  'a length with END_STREAM': [postFields('/', ['content-length', '5'])],
  'a length with a sign': [postFields('/', ['content-length', '+5'])],
  'two lengths': [postFields('/', ['content-length', '5'], ['content-length', '5'])],
  'an unknown expectation': [getFields('/', ['expect', 'tea']), 417],
  'a head over the limit': [getFields('/', ['x', 'a'.repeat(1024)]), 431],
  'a target over its limit': [getFields(`/${'a'.repeat(9000)}`), 414],
  'too many fields': [getFields('/', ...Array.from({ length: 30 }, (_, nth) => [`x-${nth}`, ''] as const)), 431],
};

describe('the head of an HTTP/2 request', () => {
  for (const [name, [fields, status = 400]] of Object.entries(refused)) {
    it(`with ${name} is refused with ${status}`, () => {
      const flaw = read(fields);
      expect(flaw).not.to.be.instanceOf(RequestHead);
      expect(flaw).to.include({ status });
    });
  }

  it('becomes the same head as over HTTP/1.1', () => {
    const head = read(getFields('/a?b=c', ['accept', '*/*'], ['x-odd', 'caf\xe9']));
    expect(head).to.include({
      text: 'GET /a?b=c HTTP/1.1\r\nhost: shop.example\r\naccept: */*\r\nx-odd: caf\xe9\r\n',
      host: 'shop.example',
      hasBody: false,
      upgrade: false,
    });
  });

  it('has its cookies joined, and counts them as one field', () => {
    const cookies = Array.from({ length: 30 }, (_, nth) => ['cookie', `c${nth}=1`] as const);
    const head = read(getFields('/', ...cookies));
    expect(head).to.have.property('cookie', cookies.map(([, value]) => value).join('; '));
  });

  it('takes Host where :authority is missing', () => {
    expect(read([...without(':authority'), ['host', 'other.example']])).to.include({ host: 'other.example' });
    expect(read(getFields('/', ['host', 'SHOP.example']))).to.include({ host: 'shop.example' });
  });

  it('announces chunks for a body without a length', () => {
    expect(read(postFields(), false)).to.include({ chunked: true, length: -1 });
    expect(read(postFields('/', ['content-length', '5']), false)).to.include({ chunked: false, length: 5 });
    expect(read(postFields('/', ['content-length', '0']))).to.include({ hasBody: false });
  });

  it('may ask for trailers and for the whole server', () => {
    expect(read(getFields('/', ['te', 'trailers']))).to.be.instanceOf(RequestHead);
    expect(read([[':method', 'OPTIONS'], ...replace(':path', '*').slice(1)])).to.include({ path: '*' });
  });
});
