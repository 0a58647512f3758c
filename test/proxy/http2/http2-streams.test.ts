import { once } from 'node:events';
import type { Socket } from 'node:net';
import type { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { expect } from 'chai';
import { withTcp, withToys } from '../toy-backend.js';
import { data, getFields, headers, postFields, reset } from './frames.js';
import { askHttp2, codes, withHttp2 } from './with-http2.js';

const megabyte = 1024 * 1024;

/** A backend that keeps each connection open and tells when it is closed. */
class Silent {
  readonly sockets: Socket[] = [];
  bytes = '';
  readonly #looks = new Set<() => void>();

  readonly accept = (socket: Socket): void => {
    this.sockets.push(socket);
    socket.on('data', bytes => {
      this.bytes += bytes.toString('latin1');
      this.#look();
    });
    socket.on('end', () => socket.end());
    socket.on('close', () => this.#look());
  };

  gets(text: string): Promise<void> {
    return this.#until(() => this.bytes.includes(text));
  }

  closed(): Promise<void> {
    return this.#until(() => this.sockets.every(socket => socket.destroyed));
  }

  #until(is: () => boolean): Promise<void> {
    return new Promise(resolve => {
      const look = () => is() && resolve();
      this.#looks.add(look);
      look();
    });
  }

  #look(): void {
    for (const look of this.#looks) look();
  }
}

describe('HTTP/2: a client that leaves', () => {
  for (const [name, code] of [
    ['CANCEL', codes.NGHTTP2_CANCEL],
    // Node ends the body of such a stream as if it were complete.
    ['NO_ERROR', codes.NGHTTP2_NO_ERROR],
  ] as const) {
    it(`by RST_STREAM with ${name} closes the backend's connection before the body looks complete`, async () => {
      const backend = new Silent();
      await withTcp(backend.accept, url =>
        withHttp2([url], async front => {
          const client = await front.connectRaw();
          client.send(headers(1, postFields('/never'), 'block'), data(1, 'half'));
          await backend.gets('half');
          client.send(reset(1, code));
          expect(await front.settled(1)).to.deep.equal([{ kind: 'abandoned' }]);
          await backend.closed();
          expect(backend.bytes).not.to.include('\r\n0\r\n');
          // The connection of the client goes on.
          client.send(headers(3, getFields('/next')));
          await backend.gets('/next');
        }),
      );
    });
  }

  it('by closing the connection abandons every stream', async () => {
    const backend = new Silent();
    await withTcp(backend.accept, url =>
      withHttp2([url], async front => {
        const client = await front.connectRaw();
        client.send(...[1, 3, 5].map(stream => headers(stream, getFields(`/${stream}`))));
        await front.arrived(3);
        await backend.gets('/5');
        client.destroy();
        expect(await front.settled(3)).to.deep.equal(Array(3).fill({ kind: 'abandoned' }));
        await backend.closed();
      }),
    );
  });

  it('in the middle of an answer closes the connection of the backend', async () => {
    let closed: Promise<unknown> = Promise.resolve();
    await withTcp(
      socket => {
        closed = once(socket, 'close');
        socket.once('data', () => socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${megabyte}\r\n\r\nbegin`));
        socket.on('end', () => socket.end());
      },
      url =>
        withHttp2([url], async front => {
          const stream = front.connect().request({ ':path': '/' });
          await once(stream, 'data');
          stream.close(codes.NGHTTP2_CANCEL);
          expect(await front.settled(1)).to.deep.equal([{ kind: 'abandoned' }]);
          await closed;
        }),
    );
  });
});

describe('HTTP/2: an answer before the end of the request', () => {
  it('is complete, and the rest of the body is refused without an error', () =>
    withTcp(
      socket => socket.once('data', () => socket.end('HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\n\r\nbig')),
      url =>
        withHttp2([url], async front => {
          const session = front.connect();
          const stream = session.request({ ':method': 'POST', ':path': '/', 'content-length': 10 * megabyte });
          stream.on('error', () => {});
          stream.write(Buffer.alloc(1000));
          const [head] = await once(stream, 'response');
          expect(head).to.include({ ':status': 413 });
          expect((await buffer(stream)).toString()).to.equal('big');
          await once(stream, 'close');
          expect(stream.rstCode).to.equal(codes.NGHTTP2_NO_ERROR);
          expect(session.destroyed).to.equal(false);
        }),
    ));
});

describe('HTTP/2: back-pressure', () => {
  const total = 32 * megabyte;

  it('makes a backend wait for a client that does not read', () => {
    let written = 0;
    return withToys(
      [
        async (_, response) => {
          response.writeHead(200, { 'content-length': total });
          const part = Buffer.alloc(megabyte / 4);
          for (; written < total; written += part.length) if (!response.write(part)) await once(response, 'drain');
          response.end();
        },
        (_, response) => response.end('other'),
      ],
      slow =>
        withHttp2([slow.url], async front => {
          const session = front.connect();
          const stream = session.request({ ':path': '/' });
          await once(stream, 'response');
          await standsStill(() => written);
          // The buffers of the system between proxy and backend.
          expect(written).to.be.lessThan(total / 2);
          expect((await buffer(stream)).length).to.equal(total);
        }),
    );
  });

  it('makes a client wait for a backend that does not read, and other streams go on', () => {
    let held: Readable | undefined;
    return withToys(
      [
        (request, response) => {
          if (request.method === 'GET') return void response.end('other');
          held = request;
          request.on('end', () => response.end('all'));
        },
      ],
      toy =>
        withHttp2([toy.url], async front => {
          const session = front.connect();
          const stream = session.request({ ':method': 'POST', ':path': '/' });
          const answer = once(stream, 'response');
          let written = 0;
          const pour = (): void => {
            while (written < total) {
              written += megabyte / 4;
              if (!stream.write(Buffer.alloc(megabyte / 4))) return;
            }
            stream.end();
          };
          stream.on('drain', pour);
          pour();
          await standsStill(() => written);
          expect(written).to.be.lessThan(total / 2);
          expect(await askHttp2(session)).to.include({ text: 'other' });
          held?.resume();
          await answer;
          expect((await buffer(stream)).toString()).to.equal('all');
        }),
    );
  });
});

/** Resolves when the number has been the same for half a second. */
async function standsStill(read: () => number): Promise<void> {
  for (let before = -1; before !== read(); ) {
    before = read();
    await new Promise(resolve => setTimeout(resolve, 500));
  }
}
