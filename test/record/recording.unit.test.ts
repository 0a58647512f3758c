import { brotliCompressSync, deflateRawSync, deflateSync, gzipSync } from 'node:zlib';
import { expect } from 'chai';
import { findKind, readText } from '#src/record/http-messages.js';
import {
  bodyCharactersMax,
  exchangesMax,
  JourneyRecording,
  listSigns,
  passCharactersMax,
} from '#src/record/recording.js';
import { exchange } from './exchanges.js';

const typed = [
  { user: 'hf-user-1', item: 'hf-item-1' },
  { user: 'hf-user-2', item: 'hf-item-2' },
] as const;

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

describe('a recording', () => {
  const login = exchange({ method: 'POST', path: '/login', requestBody: 'user=hf-user-1&password=x' });
  const add = exchange({ method: 'POST', path: '/cart', requestBody: 'sku=hf-item-1' });
  const read = exchange({ path: '/cart', responseBody: '<li>hf-item-1' });

  it('keeps the order in which requests began, not the one in which they ended', () => {
    const recording = new JourneyRecording(typed, 0);
    const slots = [recording.begin(1), recording.begin(2), recording.begin(3)];
    slots[2]?.complete(read);
    slots[0]?.complete(login);
    slots[1]?.drop();
    recording.finishPass(4);
    recording.finishPass(4);
    for (const _pass of [2, 3]) {
      recording.begin(5)?.complete(login);
      recording.finishPass(6);
      recording.finishPass(6);
    }
    expect(recording.passes()?.first.exchanges.map(({ path }) => path)).to.deep.equal(['/login', '/cart']);
  });

  it('refuses to end a pass that lacks steps once, and says what it lacks', () => {
    const recording = new JourneyRecording(typed, 0);
    recording.begin(1)?.complete(login);
    const lacks = ['a request with hf-item-1', 'an answer that shows hf-item-1'];
    expect(recording.finishPass(2)).to.deep.equal(lacks);
    expect(recording.passName).to.equal('first');
    expect(recording.finishPass(3)).to.deep.equal([]);
    expect(recording.passName).to.equal('second');
  });

  it('never ends a pass without any request', () => {
    const recording = new JourneyRecording(typed, 0);
    for (const _try of [1, 2, 3]) expect(recording.finishPass(1)).not.to.deep.equal([]);
    expect(recording.passName).to.equal('first');
  });

  it('forgets a pass that is started again, also what ends later', () => {
    const recording = new JourneyRecording(typed, 0);
    const late = recording.begin(1);
    recording.begin(1)?.complete(login);
    recording.restartPass(2);
    late?.complete(add);
    expect(recording.seen.requests).to.equal(0);
  });

  it('does not take an item for shown that was not sent before', () => {
    const recording = new JourneyRecording(typed, 0);
    recording.begin(1)?.complete(read);
    const shown = { text: 'an answer that shows hf-item-1', isSeen: false };
    expect(listSigns('first', recording.seen, typed[0])).to.deep.include(shown);
    recording.begin(2)?.complete(add);
    recording.begin(3)?.complete(read);
    expect(recording.seen).to.deep.equal({ requests: 3, userSent: false, itemSent: true, itemShown: true });
  });

  it(`keeps ${exchangesMax} exchanges of a pass, and counts the others`, () => {
    const recording = new JourneyRecording(typed, 0);
    for (let begun = 0; begun < exchangesMax; begun += 1) recording.begin(1)?.complete(read);
    expect(recording.begin(1)).to.equal(undefined);
    expect(recording.unrecorded).to.equal(1);
  });

  it('leaves out bodies beyond the limit of a pass, and counts them', () => {
    const recording = new JourneyRecording(typed, 0);
    const responseBody = 'x'.repeat(bodyCharactersMax);
    const fitting = passCharactersMax / bodyCharactersMax;
    for (let begun = 0; begun <= fitting; begun += 1) recording.begin(1)?.complete(exchange({ responseBody }));
    expect(recording.unrecorded).to.equal(1);
  });
});
