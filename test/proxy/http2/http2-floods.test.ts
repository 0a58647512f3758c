import { setImmediate } from 'node:timers/promises';
import { expect } from 'chai';
import { TokenBucket } from '#src/proxy/engines/wire/h2/session.js';
import type { Http2Refusal } from '#src/proxy/exchange.js';
import { withTcp, withToys } from '../toy-backend.js';
import {
  continuation,
  data,
  fieldBlock,
  frame,
  frameTypes,
  getFields,
  headers,
  number32,
  postFields,
  reset,
} from './frames.js';
import { askHttp2, codes, type FrameClient, type Http2Front, withHttp2 } from './with-http2.js';

interface FloodRow {
  readonly first?: Buffer;
  /** Sent `count` times, with an odd number that grows. */
  readonly frames: (stream: number) => Buffer;
  readonly count: number;
  readonly reason: Http2Refusal;
  /** Another possible reason. How the network splits the flood decides which one is counted. */
  readonly orReason?: Http2Refusal;
}

const cancel = codes.NGHTTP2_CANCEL;

const floods: Readonly<Record<string, FloodRow>> = {
  'rapid reset (CVE-2023-44487)': {
    frames: stream => Buffer.concat([headers(stream, getFields()), reset(stream, cancel)]),
    count: 1000,
    reason: 'reset-flood',
  },
  'requests that Node rejects': {
    frames: stream => headers(stream, getFields('/', ['connection', 'close'])),
    count: 200,
    reason: 'invalid-frames',
  },
  'heads far over the limits': {
    frames: stream => headers(stream, getFields('/', ...Array.from({ length: 450 }, () => ['x', ''] as const))),
    count: 600,
    reason: 'reset-flood',
  },
  'requests that are answered 400': {
    frames: stream => headers(stream, getFields('/', ['host', 'other.example'])),
    count: 1000,
    // Too many at once, before the first is answered.
    reason: 'invalid-frames',
  },
  'CONTINUATION without an end (CVE-2024-27316)': {
    first: headers(1, getFields(), 'stream'),
    frames: () => continuation(1, [['x', 'y']]),
    count: 20,
    reason: 'continuation-flood',
  },
  'empty CONTINUATION': {
    first: headers(1, getFields(), 'stream'),
    frames: () => continuation(1, []),
    count: 20,
    reason: 'continuation-flood',
  },
  SETTINGS: { frames: () => frame(frameTypes.settings, 0, 0), count: 200, reason: 'settings-flood' },
  'PING whose answers are not read': { frames: ping, count: 3000, reason: 'unread-replies', orReason: 'ping-flood' },
  'PRIORITY of no stream': { frames: () => priority(3), count: 3000, reason: 'priority-flood' },
  'PRIORITY of an open stream': {
    first: headers(1, postFields(), 'block'),
    frames: () => priority(1),
    count: 3000,
    reason: 'priority-flood',
  },
  'empty DATA': {
    first: headers(1, postFields(), 'block'),
    frames: () => data(1, ''),
    count: 200,
    reason: 'invalid-frames',
  },
  'streams over the limit': {
    frames: stream => headers(stream, postFields(), 'block'),
    count: 300,
    reason: 'invalid-frames',
  },
};

function ping(): Buffer {
  return frame(frameTypes.ping, 0, 0, Buffer.alloc(8));
}

function priority(stream: number): Buffer {
  return frame(frameTypes.priority, 0, stream, Buffer.from([0, 0, 0, 0, 1]));
}

function flood(client: FrameClient, { first, frames, count }: FloodRow): void {
  if (first !== undefined) client.send(first);
  client.send(...Array.from({ length: count }, (_, nth) => frames(2 * nth + 1)));
}

/** Runs the engine in front of a backend that never answers `/`. */
function withSilentBackend(use: (front: Http2Front) => Promise<void>): Promise<void> {
  return withToys([(request, response) => request.url === '/' || response.end('served')], toy =>
    withHttp2([toy.url], use),
  );
}

describe('HTTP/2: a flood', () => {
  for (const [name, row] of Object.entries(floods)) {
    it(`of ${name} ends the connection as ${row.reason} and disturbs no other`, () =>
      withSilentBackend(async front => {
        const other = front.connect();
        expect(await askHttp2(other, { ':path': '/served' })).to.include({ text: 'served' });
        const client = await front.connectRaw();
        flood(client, row);
        await client.closed;
        expect([row.reason, row.orReason]).to.include(front.refused.at(-1));
        expect(await askHttp2(other, { ':path': '/served' })).to.include({ text: 'served' });
      }));
  }

  it('is told to the client that waits', () =>
    withSilentBackend(async front => {
      const client = await front.connectRaw();
      client.send(...Array.from({ length: 150 }, () => frame(frameTypes.settings, 0, 0)));
      expect(await client.goaway()).to.equal(codes.NGHTTP2_ENHANCE_YOUR_CALM);
    }));

  it('of PING whose answers are read ends the connection', () =>
    withSilentBackend(async front => {
      const client = await front.connectRaw();
      for (let answers = 0; answers < 1500 && front.refused.length === 0; answers += 100) {
        client.send(...Array.from({ length: 100 }, ping));
        await Promise.race([client.answers(frameTypes.ping, answers + 100), client.closed]);
      }
      await client.closed;
      expect(front.refused).to.deep.equal(['ping-flood']);
    }));

  it('of resets of requests that have reached a backend ends the connection', () =>
    withSilentBackend(async front => {
      const client = await front.connectRaw();
      for (let sent = 0; sent < 550; sent += 50) {
        const streams = Array.from({ length: 50 }, (_, nth) => 2 * (sent + nth) + 1);
        client.send(...streams.map(stream => headers(stream, getFields())));
        await front.arrived(sent + 50);
        client.send(...streams.map(stream => reset(stream, cancel)));
        await Promise.race([front.settled(sent + 50), client.closed]);
      }
      await client.closed;
      expect(front.refused).to.deep.equal(['reset-flood']);
      expect((await front.settled(550)).filter(({ kind }) => kind !== 'abandoned')).to.deep.equal([]);
    }));

  it('of resets that arrive with their requests reaches no backend', async () => {
    let connections = 0;
    await withTcp(
      () => (connections += 1),
      url =>
        withHttp2([url], async front => {
          const client = await front.connectRaw();
          for (let stream = 1; stream < 800; stream += 2)
            client.send(headers(stream, getFields()), reset(stream, cancel));
          client.send(headers(801, getFields()));
          await front.arrived(1);
          // Those that are cut by the border of a TLS record reach it.
          expect(connections).to.be.lessThan(50);
        }),
    );
  });

  it('of resets below the bucket is served', () =>
    withSilentBackend(async front => {
      const client = await front.connectRaw();
      for (let nth = 0; nth < 300; nth += 1) {
        client.send(headers(2 * nth + 1, getFields()), reset(2 * nth + 1, cancel));
      }
      client.send(headers(601, getFields('/served')));
      await client.find(({ stream, type }) => stream === 601 && type === frameTypes.data);
      expect(front.refused).to.deep.equal([]);
    }));

  it('of streams gets at most 100 at once', () =>
    withSilentBackend(async front => {
      const client = await front.connectRaw();
      client.send(...Array.from({ length: 110 }, (_, nth) => headers(2 * nth + 1, getFields())));
      expect(await client.resetOf(219)).to.equal(codes.NGHTTP2_REFUSED_STREAM);
      expect(front.exchanges).to.have.length(100);
    }));

  it('of one header field that is repeated from the table (a "bomb") is cut off', () =>
    withSilentBackend(async front => {
      const client = await front.connectRaw();
      // A literal with incremental indexing, then a reference of one byte to it (RFC 7541 §6.1): 4000 bytes each time.
      const name = Buffer.from([0x40, 1, 0x78]);
      const value = Buffer.concat([Buffer.from([0x7f, 0xa1, 0x1e]), Buffer.alloc(4000, 'a')]);
      const block = Buffer.concat([fieldBlock(getFields()), name, value, Buffer.alloc(10_000, 0xbe)]);
      client.send(frame(frameTypes.headers, 0x5, 1, block));
      await client.resetOf(1);
      expect(front.exchanges).to.deep.equal([]);
    }));
});

describe('HTTP/2: a client that does not read', () => {
  const window = (size: number) =>
    frame(frameTypes.settings, 0, 0, Buffer.concat([Buffer.from([0, 4]), number32(size)]));

  for (const [name, bytes] of [
    ['a short answer', 10],
    ['a long answer', 10_000_000],
  ] as const) {
    it(`has its stream reset in time after ${name} to a window of zero`, () =>
      withToys([(_, response) => response.end(Buffer.alloc(bytes))], toy =>
        withHttp2(
          [toy.url],
          async front => {
            const client = await front.connectRaw();
            client.send(window(0), headers(1, getFields()));
            expect(await client.resetOf(1)).to.equal(codes.NGHTTP2_INTERNAL_ERROR);
            expect(front.refused).to.deep.equal(['slow-reader']);
            const [outcome] = await front.settled(1);
            expect(outcome?.kind).to.equal(bytes > 1000 ? 'abandoned' : 'answered');
          },
          { limits: { idleBodyMs: 300 } },
        ),
      ));
  }

  it('has its connection closed in time when it reads nothing at all', () =>
    withToys([(_, response) => response.end(Buffer.alloc(1_000_000))], toy =>
      withHttp2(
        [toy.url],
        async front => {
          const client = await front.connectRaw();
          client.send(window(2 ** 31 - 1), frame(frameTypes.windowUpdate, 0, 0, number32(2 ** 30)));
          client.pause();
          client.send(...Array.from({ length: 100 }, (_, nth) => headers(2 * nth + 1, getFields())));
          const outcomes = await front.settled(100);
          expect(outcomes.filter(({ kind }) => kind !== 'answered' && kind !== 'abandoned')).to.deep.equal([]);
          while (front.connections() > 0) await setImmediate();
        },
        { limits: { idleBodyMs: 300, clientIdleMs: 300 } },
      ),
    ));
});

describe('an bucket', () => {
  it('is used up by a burst and refills with time', () => {
    const bucket = new TokenBucket(3, 2);
    const start = performance.now();
    const take = (count: number, afterMs: number) => bucket.take(count, start + afterMs);
    expect([take(3, 0), take(1, 0)]).to.deep.equal([true, false]);
    expect([take(1, 1000), take(1, 1000)]).to.deep.equal([true, false]);
    expect([take(3, 60_000), take(1, 60_000)]).to.deep.equal([true, false]);
  });
});
