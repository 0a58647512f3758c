import { once } from 'node:events';
import { createServer } from 'node:net';
import { expect } from 'chai';
import { describeGone } from '#src/simulator/cluster/probe.js';

describe('probe of a killed member', () => {
  it('waits for the process that listens, which may end a moment after its shell', async () => {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const address = server.address();
    const port = typeof address === 'object' ? (address?.port ?? 0) : 0;
    server.once('connection', () => server.close());
    const gone = await describeGone({ port }, { code: null, signal: 'SIGKILL' });
    expect(gone).to.contain(`port ${port} refuses connections`);
  });
});
