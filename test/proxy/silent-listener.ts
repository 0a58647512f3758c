import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect } from 'node:net';

/** Listens and accepts nothing: its thread is blocked. The system holds one connection more than the backlog. */
const code = `
  const server = require('node:net').createServer().listen({ port: 0, host: '127.0.0.1', backlog: 1 }, () => {
    require('node:fs').writeSync(1, String(server.address().port));
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
  });`;

/** Runs `use` with the URL of a listener to which no further connection is established: each attempt waits. */
export async function withSilentListener(use: (url: URL) => Promise<void>): Promise<void> {
  const listener = spawn(process.execPath, ['-e', code], { stdio: ['ignore', 'pipe', 'inherit'] });
  const [port]: unknown[] = await once(listener.stdout, 'data');
  const held = [1, 2].map(() => connect(Number(port), '127.0.0.1'));
  try {
    await Promise.all(held.map(socket => once(socket, 'connect')));
    await use(new URL(`http://127.0.0.1:${port}`));
  } finally {
    for (const socket of held) socket.destroy();
    listener.kill('SIGKILL');
  }
}

/** Returns how many connections of this process are being established. */
export function countConnecting(): number {
  return process.getActiveResourcesInfo().filter(name => name === 'ConnectWrap').length;
}
