import { once } from 'node:events';
import { createServer } from 'node:net';
import { expect } from 'chai';
import type { LabProcess } from '#src/simulator/cluster/cluster.js';
import { confirmStrike } from '#src/simulator/cluster/probe.js';

/** Creates a process that has ended like this. */
function endedProcess(port: number, exit: Awaited<ReturnType<LabProcess['waitExit']>>): LabProcess {
  return { name: 'backend-1', port, waitExit: async () => exit } as unknown as LabProcess;
}

describe('confirmation of a strike on a process', () => {
  it('waits for the process that listens, which may end a moment after its shell', async () => {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const address = server.address();
    const port = typeof address === 'object' ? (address?.port ?? 0) : 0;
    server.once('connection', () => server.close());
    const gone = await confirmStrike(endedProcess(port, { code: null, signal: 'SIGKILL' }), 'kill');
    expect(gone).to.contain(`port ${port} refuses connections`);
  });

  it('takes no other end for a kill', async () => {
    expect(await confirmStrike(endedProcess(1, { code: 0, signal: null }), 'kill')).to.equal(false);
    expect(await confirmStrike(endedProcess(1, undefined), 'kill')).to.equal(false);
  });

  it('rejects when the process ends with an error after SIGTERM, and says what was expected', async () => {
    const message = await confirmStrike(endedProcess(1, { code: 3, signal: null }), 'stop').catch(String);
    expect(message).to.contain('backend-1 ended with code 3, expected it to end at SIGTERM with code 0');
  });
});
