import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

/** Runs `use` with both ends of a connection. */
export async function withPair(use: (near: Socket, far: Socket) => Promise<void>): Promise<void> {
  const server = createServer({ pauseOnConnect: true }).listen(0, '127.0.0.1');
  await new Promise(resolve => server.once('listening', resolve));
  const accepted = new Promise<Socket>(resolve => server.once('connection', resolve));
  const near = connect((server.address() as AddressInfo).port, '127.0.0.1');
  const far = await accepted;
  try {
    await use(near, far);
  } finally {
    near.destroy();
    far.destroy();
    server.close();
  }
}
