import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { expect } from 'chai';
import { TcpLink } from '#src/simulator/cluster/links.js';

/** A server that says its name before it repeats what it hears. */
async function withServer<T>(name: string, use: (port: number) => Promise<T>): Promise<T> {
  const open = new Set<Socket>();
  const server = createServer({ allowHalfOpen: true }, socket => {
    open.add(socket);
    socket.on('error', () => undefined);
    socket.write(name);
    socket.pipe(socket);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  try {
    return await use(typeof address === 'object' ? (address?.port ?? 0) : 0);
  } finally {
    for (const socket of open) socket.destroy();
    server.close();
  }
}

async function withLink<T>(port: number, use: (link: TcpLink) => Promise<T>): Promise<T> {
  const link = await TcpLink.listen('a->b', port);
  try {
    return await use(link);
  } finally {
    await link.close();
  }
}

/** Connects and waits for the first words. */
async function greeted(port: number): Promise<{ readonly socket: Socket; readonly said: string }> {
  const socket = connect({ host: '127.0.0.1', port });
  const [said] = await once(socket, 'data');
  return { socket, said: String(said) };
}

describe('links', () => {
  it('retargeted: who was connected is reset, who comes is led elsewhere', () =>
    withServer('one', one =>
      withServer('two', two =>
        withLink(one, async link => {
          const old = await greeted(link.port);
          expect(old.said).to.equal('one');
          link.retarget(two);
          const [error] = await once(old.socket, 'error');
          expect(error).to.include({ code: 'ECONNRESET' });
          const fresh = await greeted(link.port);
          expect(fresh.said).to.equal('two');
          fresh.socket.destroy();
        }),
      ),
    ));
});
