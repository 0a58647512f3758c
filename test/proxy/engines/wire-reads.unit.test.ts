import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { expect } from 'chai';
import { Reads, readIntoBuffer } from '#src/proxy/engines/wire/connection-io.js';
import { withPair } from '../socket-pair.js';

/** Sends blocks of one letter each to a socket that reads through `reads` and writes on to `out`. */
async function relay(reads: Reads, out: Socket, letters: string, blockBytes: number): Promise<void> {
  let got = 0;
  const server = createServer().listen(0, '127.0.0.1');
  await new Promise(resolve => server.once('listening', resolve));
  const accepted = new Promise<Socket>(resolve => server.once('connection', resolve));
  const { port } = server.address() as AddressInfo;
  const onread = reads.into((lent, count) => {
    got += count;
    reads.write(out, lent.subarray(0, count));
    return true;
  });
  const reader = connect({ port, host: '127.0.0.1', onread });
  const sender = await accepted;
  for (const [nth, letter] of [...letters].entries()) {
    sender.write(Buffer.alloc(blockBytes, letter));
    while (got < (nth + 1) * blockBytes) await new Promise(resolve => setImmediate(resolve));
  }
  reader.destroy();
  sender.destroy();
  server.close();
}

/** Returns what arrives at a peer that starts reading only after everything was written behind a full pipe. */
function behindAFullPipe(write: (out: Socket) => Promise<void>): Promise<string> {
  let arrived = '';
  const run = withPair(async (out, far) => {
    await new Promise(resolve => out.once('connect', resolve));
    let filled = 0;
    for (; out.writableLength === 0; filled += 65_536) out.write(Buffer.alloc(65_536, '.'));
    await write(out);
    out.end();
    for await (const bytes of far) arrived += bytes.toString();
    arrived = arrived.slice(filled);
  });
  return run.then(() => arrived);
}

describe('wire: one buffer for all reads', () => {
  it('does not overwrite bytes that one connection still has to write when the next one reads', async () => {
    const reads = new Reads();
    const arrived = await behindAFullPipe(async out => {
      await relay(reads, out, 'ab', 8192);
      await relay(reads, out, 'cd', 8192);
    });
    expect(arrived.replace(/(.)\1*/g, (run, letter) => `${letter}${run.length} `)).to.equal('a8192 b8192 c8192 d8192 ');
  });

  it('does not overwrite them when the same connection reads in bulk', async () => {
    const arrived = await behindAFullPipe(out => relay(new Reads(), out, 'abcdef', 65_536));
    const letters = arrived.replace(/(.)\1*/g, (run, letter) => `${letter}${run.length / 65_536} `);
    expect(letters).to.equal('a1 b1 c1 d1 e1 f1 ');
  });

  it('lets an accepted connection read there', () => {
    const heard: string[] = [];
    const reads = new Reads();
    const onread = reads.into((lent, count) => heard.push(lent.toString('latin1', 0, count)) > 0);
    return withPair(async (near, far) => {
      expect(readIntoBuffer(far, onread)).to.equal(true);
      near.end('hello');
      await once(far, 'end');
      expect(heard.join('')).to.equal('hello');
    });
  });

  it('leaves a connection unchanged that was read already', () =>
    withPair(async (near, far) => {
      near.write('one');
      await once(far.on('data', () => {}).resume(), 'data');
      expect(
        readIntoBuffer(
          far,
          new Reads().into(() => true),
        ),
      ).to.equal(false);
      near.write('two');
      expect(String((await once(far, 'data'))[0])).to.equal('two');
    }));
});
