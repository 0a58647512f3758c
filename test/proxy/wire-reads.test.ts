import { connect, createServer, type Socket } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { expect } from 'chai';
import { Reads, readingInto } from '#src/proxy/engines/wire/reads.js';
import { wireEngine } from '#src/proxy/engines/wire.js';
import { throughWith } from './with-engine.js';

const megabyte = 1024 * 1024;
const transfers = 12;

/** Each body is another, and no two places in one look alike: a buffer that is read into too early shows. */
function bodyOf(nth: number): Buffer {
  const body = Buffer.alloc(2 * megabyte);
  for (let at = 0; at < body.length; at += 4) body.writeUInt32LE(nth * 0x1000000 + at, at);
  return body;
}

/** An answer read in fits and starts, so that some of it always waits to be written. */
async function readSlowly(url: string, path: string): Promise<Buffer> {
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname);
  socket.write(`GET ${path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`);
  const parts: Buffer[] = [];
  socket.on('data', part => {
    parts.push(part);
    socket.pause();
    setTimeout(() => socket.resume(), 1);
  });
  await new Promise(resolve => socket.once('close', resolve));
  const answer = Buffer.concat(parts);
  return answer.subarray(answer.indexOf('\r\n\r\n') + 4);
}

describe('wire: one buffer for all reads', () => {
  const through = throughWith(wireEngine);

  it('keeps the answers of slow readers apart, byte for byte', () =>
    through(
      (request, response) => {
        const body = bodyOf(Number(request.url?.slice(1)));
        response.writeHead(200, { 'content-length': body.length }).end(body);
      },
      async ({ url }) => {
        const answers = await Promise.all(Array.from({ length: transfers }, (_, nth) => readSlowly(url, `/${nth}`)));
        for (const [nth, answer] of answers.entries()) expect(answer.equals(bodyOf(nth)), `body ${nth}`).to.equal(true);
      },
    ));

  it('keeps uploads to slow backends apart, byte for byte', () => {
    const got = new Map<string, Buffer>();
    return through(
      async (request, response) => {
        const pausing = setInterval(() => {
          request.pause();
          setImmediate(() => request.resume());
        }, 2);
        got.set(request.url ?? '', await buffer(request));
        clearInterval(pausing);
        response.end();
      },
      async ({ url }) => {
        const up = (nth: number) => fetch(`${url}/${nth}`, { method: 'PUT', body: bodyOf(nth) });
        await Promise.all(Array.from({ length: transfers }, (_, nth) => up(nth)));
        for (let nth = 0; nth < transfers; nth += 1) {
          expect(got.get(`/${nth}`)?.equals(bodyOf(nth)), `body ${nth}`).to.equal(true);
        }
      },
    );
  });

  it('moves an accepted connection into a socket that reads there, and leaves others as they are', async () => {
    const accepted = await new Promise<Socket>(resolve => {
      const server = createServer(socket => {
        server.close();
        resolve(socket);
      }).listen(0, '127.0.0.1', () => {
        const address = server.address();
        if (typeof address === 'object') connect(address?.port ?? 0, '127.0.0.1').end('hello');
      });
    });
    const heard: string[] = [];
    const reads = new Reads();
    const moved = readingInto(
      accepted,
      reads.into(lent => heard.push(lent.toString()) > 0),
    );
    await new Promise(resolve => moved?.once('end', resolve));
    expect(heard.join('')).to.equal('hello');
    expect(accepted.destroyed).to.equal(true);
    if (moved !== undefined)
      expect(
        readingInto(
          moved,
          reads.into(() => true),
        ),
      ).to.equal(undefined);
    moved?.destroy();
  });
});
