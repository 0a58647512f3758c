import { brotliCompressSync, deflateRawSync, deflateSync, gzipSync } from 'node:zlib';
import { expect } from 'chai';
import {
  findKind,
  makeToBrowser,
  readText,
  toAppHeaders,
  toBrowserHeaders,
  toRecordedHeaders,
} from '#src/record/http-messages.js';
import { bodyCharactersMax } from '#src/record/recording.js';

const origins = { app: 'http://127.0.0.1:23456', browserHost: 'pass-1-123456.localhost:7700' };
const browser = 'http://pass-1-123456.localhost:7700';

describe('what the app gets', () => {
  for (const [title, given, expected] of [
    ['its own host', ['Host', 'pass-1-123456.localhost:7700'], ['host', '127.0.0.1:23456']],
    ['its own origin', ['Origin', browser], ['origin', 'http://127.0.0.1:23456']],
    ['its own address as referer', ['Referer', `${browser}/cart?a=1`], ['referer', 'http://127.0.0.1:23456/cart?a=1']],
    ['another origin as it is', ['Origin', 'http://evil.example'], ['origin', 'http://evil.example']],
    ['an origin that only begins alike as it is', ['Origin', `${browser}1`], ['origin', `${browser}1`]],
    ['its cookies', ['Cookie', 'sid=1; a=2'], ['cookie', 'sid=1; a=2']],
    [
      'encodings that can be decoded',
      ['Accept-Encoding', 'gzip, deflate, br, zstd'],
      ['accept-encoding', 'gzip, deflate, br'],
    ],
    ['no encoding when none can be decoded', ['Accept-Encoding', 'zstd'], ['accept-encoding', 'identity']],
  ] as const)
    it(`is ${title}`, () => {
      expect(toAppHeaders([given], origins)).to.deep.equal([expected]);
    });

  it('is no header that lets it answer without a body, and none of one connection', () => {
    const given = ['If-None-Match', 'If-Modified-Since', 'Connection', 'Keep-Alive', 'Transfer-Encoding', 'Upgrade'];
    expect(
      toAppHeaders(
        given.map(name => [name, 'x'] as const),
        origins,
      ),
    ).to.deep.equal([]);
  });
});

describe('what the browser gets', () => {
  for (const [title, given, expected] of [
    ['a redirect to its own address', ['Location', 'http://127.0.0.1:23456/cart'], ['Location', `${browser}/cart`]],
    ['a redirect by path as it is', ['Location', '/cart'], ['Location', '/cart']],
    [
      'a redirect to another server as it is',
      ['Location', 'http://127.0.0.1:234567/'],
      ['Location', 'http://127.0.0.1:234567/'],
    ],
    [
      'a cookie without its domain',
      ['Set-Cookie', 'sid=1; Domain=127.0.0.1; Path=/; HttpOnly'],
      ['Set-Cookie', 'sid=1; Path=/; HttpOnly'],
    ],
    [
      'its own origin allowed',
      ['Access-Control-Allow-Origin', 'http://127.0.0.1:23456'],
      ['Access-Control-Allow-Origin', browser],
    ],
    [
      'a policy that does not ask for https',
      ['Content-Security-Policy', "default-src 'self';upgrade-insecure-requests;img-src data:"],
      ['Content-Security-Policy', "default-src 'self';;img-src data:"],
    ],
  ] as const)
    it(`is ${title}`, () => {
      expect(toBrowserHeaders([given], origins)).to.deep.equal([expected]);
    });

  it('is nothing that lets it show a page without asking, or use https later', () => {
    const given = ['Cache-Control', 'ETag', 'Last-Modified', 'Expires', 'Strict-Transport-Security', 'Connection'];
    expect(
      toBrowserHeaders(
        given.map(name => [name, 'x'] as const),
        origins,
      ),
    ).to.deep.equal([]);
  });

  for (const [given, expected] of [
    ['<a href="http://127.0.0.1:23456/a">', `<a href="${browser}/a">`],
    ['{"next":"http:\\/\\/localhost:23456\\/a"}', '{"next":"http:\\/\\/pass-1-123456.localhost:7700\\/a"}'],
    ['wss://[::1]:23456/live', 'ws://pass-1-123456.localhost:7700/live'],
    ['https://127.0.0.1:23456/', `${browser}/`],
    ['http://127.0.0.1:2345/', 'http://127.0.0.1:2345/'],
    ['http://127.0.0.1:234567/', 'http://127.0.0.1:234567/'],
    ['http://cdn.example:23456/', 'http://cdn.example:23456/'],
  ] as const)
    it(`has ${expected} for ${given}`, () => {
      expect(makeToBrowser(origins)(given)).to.equal(expected);
    });

  it('has the address of an app at port 80, with the port and without', () => {
    const map = makeToBrowser({ ...origins, app: 'http://localhost' });
    expect(map('http://localhost/a http://localhost:80/b http://localhost:8080/c http://localhost.example/')).to.equal(
      `${browser}/a ${browser}/b http://localhost:8080/c http://localhost.example/`,
    );
  });
});

describe('what is recorded', () => {
  for (const [given, expected] of [
    ['http://127.0.0.1:23456/cart?a=1', '/cart?a=1'],
    ['http://127.0.0.1:23456', '/'],
    ['http://127.0.0.1:23456?a', '/?a'],
    ['/cart', '/cart'],
    ['http://127.0.0.1:234567/cart', 'http://127.0.0.1:234567/cart'],
  ] as const)
    it(`is a redirect to ${expected} for ${given}`, () => {
      expect(toRecordedHeaders([['Location', given]], [origins.app])).to.deep.equal([['location', expected]]);
    });
});

describe('a recorded body', () => {
  const html = [['Content-Type', 'text/html']] as const;
  for (const [encoding, bytes] of [
    ['gzip', gzipSync('grüezi')],
    ['br', brotliCompressSync('grüezi')],
    ['deflate', deflateSync('grüezi')],
    ['deflate', deflateRawSync('grüezi')],
    ['identity', Buffer.from('grüezi')],
  ] as const)
    it(`is decoded from ${encoding} (${bytes[0]})`, () => {
      expect(readText(bytes, [...html, ['Content-Encoding', encoding]])).to.equal('grüezi');
    });

  it('is decoded from the character set of its type', () => {
    expect(readText(Buffer.from([0xe4]), [['content-type', 'text/html; charset=iso-8859-1']])).to.equal('ä');
  });

  for (const [title, bytes, headers] of [
    ['damaged', Buffer.from('no gzip'), [...html, ['content-encoding', 'gzip']]],
    ['of an unknown encoding', Buffer.from('x'), [...html, ['content-encoding', 'zstd']]],
    ['an image', Buffer.from('x'), [['content-type', 'image/png']]],
    ['no text', Buffer.from([0xff, 0xfe, 0x00]), html],
    ['too long', Buffer.alloc(bodyCharactersMax + 1, 'x'), html],
    ['small and becomes too long', gzipSync(Buffer.alloc(40_000_000)), [...html, ['content-encoding', 'gzip']]],
  ] as const)
    it(`is left out when it is ${title}`, () => {
      expect(readText(bytes, headers)).to.equal(undefined);
    });

  for (const [type, kind] of [
    ['application/json; charset=utf-8', 'text'],
    ['application/problem+json', 'text'],
    ['application/x-www-form-urlencoded', 'text'],
    ['multipart/form-data; boundary=x', 'text'],
    ['text/css', 'other'],
    ['font/woff2', 'other'],
    ['text/event-stream', 'stream'],
    ['application/x-ndjson', 'stream'],
  ] as const)
    it(`of the type ${type} is ${kind}`, () => {
      expect(findKind([['content-type', type]])).to.equal(kind);
    });
});
