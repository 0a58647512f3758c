import { expect } from 'chai';
import { answerOk, withRecorder } from '../recording-backend.js';
import { continuation, data, type Fields, frame, frameTypes, getFields, headers, postFields } from './frames.js';
import { codes, withHttp2 } from './with-http2.js';

const smuggled = 'GET /smuggled HTTP/1.1\r\nHost: shop.example\r\n\r\n';

function head(fields: Fields): Buffer[] {
  return [headers(1, fields)];
}

/** A POST whose body has these parts. */
function post(more: Fields, ...parts: string[]): Buffer[] {
  const bodies = parts.map((text, nth) => data(1, text, nth === parts.length - 1));
  return [headers(1, postFields('/', ...more), 'block'), ...bodies];
}

/** Frames of one request on stream 1 that must be refused, and that must not reach a backend as a whole request. */
const refused: Readonly<Record<string, readonly Buffer[]>> = {
  'a Transfer-Encoding field': post([['transfer-encoding', 'chunked']], `0\r\n\r\n${smuggled}`),
  'a Transfer-Encoding field and a length': post(
    [
      ['transfer-encoding', 'chunked'],
      ['content-length', '5'],
    ],
    '0\r\n\r\n',
  ),
  'a Connection field': head(getFields('/', ['connection', 'content-length'])),
  'an Upgrade field': head(getFields('/', ['upgrade', 'h2c'])),
  'a length shorter than the body': post([['content-length', '0']], smuggled),
  'a length shorter than the body, in two frames': post([['content-length', '4']], 'body', smuggled),
  'a length longer than the body': post([['content-length', '100']], 'body'),
  'a length and END_STREAM': head(postFields('/', ['content-length', '5'])),
  'two lengths': post(
    [
      ['content-length', '4'],
      ['content-length', '0'],
    ],
    'body',
  ),
  'a length with a sign': post([['content-length', '+4']], 'body'),
  'a length in hex': post([['content-length', '0x4']], 'body'),
  'a target with a second request': head(getFields(`/ HTTP/1.1\r\nHost: x\r\n\r\n${smuggled}`)),
  'a target with a space': head(getFields('/a b')),
  'a target in absolute form': head(getFields('http://other.example/')),
  'a method with a second request': head([[':method', `GET /smuggled HTTP/1.1\r\nx: `], ...getFields().slice(1)]),
  'an authority with a second field': head([...getFields().slice(0, 3), [':authority', 'x\r\ncontent-length: 5']]),
  'an authority with a user': head([...getFields().slice(0, 3), [':authority', 'a@shop.example']]),
  'a scheme with a second field': head([
    [':method', 'GET'],
    [':scheme', 'https\r\nx: y'],
    [':path', '/'],
    [':authority', 'x'],
  ]),
  'two hosts': head(getFields('/', ['host', 'other.example'])),
  'an upper-case name': head(getFields('/', ['Transfer-Encoding', 'chunked'])),
  'a pseudo-header field behind a regular one': head([['x', 'y'], ...getFields()]),
  'a pseudo-header field twice': head([...getFields(), [':path', '/smuggled']]),
  'an unknown pseudo-header field': head(getFields('/', [':x', 'y'])),
  CONNECT: head([
    [':method', 'CONNECT'],
    [':authority', '127.0.0.1:80'],
  ]),
  'extended CONNECT': head([[':method', 'CONNECT'], ...getFields().slice(1), [':protocol', 'websocket']]),
  'a pseudo-header field in trailers': [
    headers(1, postFields(), 'block'),
    data(1, 'body'),
    headers(1, [[':path', '/smuggled']]),
  ],
  'trailers without END_STREAM': [
    headers(1, postFields(), 'block'),
    data(1, 'body'),
    headers(1, [['x-t', '1']], 'block'),
    data(1, smuggled, true),
  ],
  'a body before its head': [data(1, smuggled, true), headers(1, getFields('/smuggled'))],
};

/** Fields that Node's nghttp2 removes. The rest of the request is served. */
const removed: Readonly<Record<string, Fields[number]>> = {
  'a line end in a value': ['x-a', `1\r\n\r\n${smuggled}`],
  'CR in a value': ['x-a', '1\rcontent-length: 5'],
  'LF in a value': ['x-a', '1\ntransfer-encoding: chunked'],
  'NUL in a value': ['x-a', '1\0'],
  'a line end in a name': ['x\r\ncontent-length', '5'],
  'a space in a name': ['transfer-encoding ', 'chunked'],
  'a colon in a name': ['transfer-encoding: chunked\r\nx', '1'],
  'a space before a value': ['x-a', ' 1'],
};

function isEnd(type: number): boolean {
  return type === frameTypes.reset || type === frameTypes.headers;
}

describe('HTTP/2: a request that HTTP/1.1 would read in another way', () => {
  for (const [name, frames] of Object.entries(refused)) {
    it(`is not passed on with ${name}`, () =>
      withRecorder(answerOk, recorder =>
        withHttp2([recorder.url], async front => {
          const client = await front.connectRaw();
          client.send(...frames, headers(3, getFields('/after')));
          // RST_STREAM, or the first frame of an answer 400 or 501, or the end of the connection.
          await client.find(({ stream, type }) => type === frameTypes.goaway || (stream === 1 && isEnd(type)));
          await client.find(({ stream, type }) => type === frameTypes.goaway || stream === 3);
          expect(recorder.requests.filter(({ target }) => target !== '/after')).to.deep.equal([]);
          expect(recorder.problems()).to.deep.equal([]);
          expect(recorder.connections.map(({ bytes }) => bytes).join('')).not.to.match(/GET \/smuggled/);
        }),
      ));
  }

  for (const [name, field] of Object.entries(removed)) {
    it(`is passed on without a field that has ${name}`, () =>
      withRecorder(answerOk, recorder =>
        withHttp2([recorder.url], async front => {
          const client = await front.connectRaw();
          client.send(headers(1, getFields('/', ['x-first', '1'], field, ['x-last', '1'])));
          await client.find(({ stream }) => stream === 1);
          const names = recorder.requests.flatMap(({ fields }) => fields.map(([each]) => each.toLowerCase()));
          expect(recorder.requests).to.have.length(1);
          expect(names).to.include.members(['x-first', 'x-last']);
          expect(names).not.to.include.members(['x-a', 'content-length', 'transfer-encoding']);
          expect(recorder.problems()).to.deep.equal([]);
        }),
      ));
  }

  it('keeps text in a body that looks like framing within its chunk', () =>
    withRecorder(answerOk, recorder =>
      withHttp2([recorder.url], async front => {
        const client = await front.connectRaw();
        const body = `0\r\n\r\n${smuggled}`;
        client.send(headers(1, postFields(), 'block'), data(1, body), data(1, ''), data(1, 'more', true));
        await client.find(({ stream }) => stream === 1);
        expect(recorder.requests.map(each => each.body)).to.deep.equal([`${body}more`]);
      }),
    ));

  it('takes a head in several CONTINUATION frames and a body with padding', () =>
    withRecorder(answerOk, recorder =>
      withHttp2([recorder.url], async front => {
        const client = await front.connectRaw();
        const padded = frame(frameTypes.data, 0x8 | 0x1, 1, '\x03bodyPAD');
        client.send(headers(1, postFields(), 'nothing'), continuation(1, [['x-a', '1']]));
        client.send(continuation(1, [['x-b', '2']], true), padded);
        await client.find(({ stream }) => stream === 1);
        const [request] = recorder.requests;
        expect(request?.body).to.equal('body');
        expect(request?.fields).to.deep.include(['x-b', '2']);
      }),
    ));

  it('drops trailers', () =>
    withRecorder(answerOk, recorder =>
      withHttp2([recorder.url], async front => {
        const client = await front.connectRaw();
        client.send(headers(1, postFields(), 'block'), data(1, 'body'), headers(1, [['transfer-encoding', 'x']]));
        client.send(headers(3, postFields(), 'block'), data(3, 'body'), headers(3, [['x-t', '1']]));
        await client.find(({ stream }) => stream === 3);
        expect(recorder.requests.map(({ body, trailers }) => [body, trailers])).to.deep.equal([['body', []]]);
      }),
    ));

  it('counts what it refused', () =>
    withRecorder(answerOk, recorder =>
      withHttp2(
        [recorder.url],
        async front => {
          const client = await front.connectRaw();
          client.send(headers(1, getFields('/first')));
          client.send(headers(3, getFields('/', ['connection', 'close'])));
          client.send(headers(5, getFields('/', ['host', 'other.example'])));
          expect(await client.resetOf(3)).to.equal(codes.NGHTTP2_PROTOCOL_ERROR);
          expect(await front.refusals(2)).to.have.members(['malformed', 'rejected']);
        },
        { limits: { clientIdleMs: 400 } },
      ),
    ));
});
