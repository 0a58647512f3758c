/** Tests workers together with the primary process that starts them. */
import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { connect } from 'node:tls';
import { expect } from 'chai';
import { inFolder } from '../../in-folder.js';
import { ask, cookieOf } from '../ask.js';
import { withToys } from '../toy-backend.js';
import { type Team, withWorkers, workersOf } from './with-workers.js';

const secrets = `k1:${'5a'.repeat(32)}`;

/** Makes one request; the session ticket comes before its answer. */
async function handshake(port: number, session?: Buffer): Promise<{ session: Buffer | undefined; resumed: boolean }> {
  const socket = connect({ port, host: '127.0.0.1', rejectUnauthorized: false, ...(session && { session }) });
  let given: Buffer | undefined;
  socket.on('session', ticket => {
    given = ticket;
  });
  socket.write('GET / HTTP/1.1\r\nhost: localhost\r\n\r\n');
  await once(socket, 'data');
  const resumed = socket.isSessionReused();
  socket.destroy();
  return { session: given, resumed };
}

describe('proxy: workers and their primary', function () {
  this.timeout(60_000);

  it('resume TLS sessions of each other, keep no secret in environment or command line, end with the primary', () =>
    withWorkers(
      ['http://127.0.0.1:9'],
      async proxy => {
        const workers = await workersOf(proxy);
        expect(workers).to.have.length(2);
        const { port } = new URL(proxy.url);
        const { session, resumed } = await handshake(Number(port));
        expect(resumed).to.equal(false);
        for (let i = 0; i < 4; i += 1) expect((await handshake(Number(port), session)).resumed).to.equal(true);
        for (const pid of workers) {
          const environment = await readFile(`/proc/${pid}/environ`, 'latin1');
          expect(environment).to.include('HOLDFAST_TEST_MARK').and.not.include('5a5a');
          expect(await readFile(`/proc/${pid}/cmdline`, 'latin1')).to.not.include('5a5a');
        }
        proxy.holdfast.child.kill('SIGKILL');
        await proxy.holdfast.ended();
        expect(await proxy.holdfast.children()).to.deep.equal([]);
      },
      ['--tls', 'dev'],
      { HOLDFAST_SECRETS: secrets },
    ));

  it('apply options in all or none; the proxy exits with code 4 after five losses within a minute', () =>
    inFolder(folder =>
      withToys([undefined], async toy => {
        const [settings, ring] = [path.join(folder, 'proxy.yaml'), path.join(folder, 'ring')];
        await writeFile(ring, secrets);
        await writeFile(settings, `secrets-file: ${ring}\n`);
        await withWorkers([toy?.url.origin ?? ''], proxy => changeAndKill(proxy, settings, ring), [
          '--config',
          settings,
        ]);
      }),
    ));
});

async function changeAndKill(proxy: Team, settings: string, ring: string): Promise<void> {
  const { holdfast } = proxy;
  const signers = async (): Promise<string[]> => {
    const answers = await Promise.all(Array.from({ length: 8 }, () => ask(proxy.url, '/')));
    return answers.map(answer => cookieOf(answer)?.split('.')[1] ?? '');
  };
  expect(new Set(await signers())).to.deep.equal(new Set(['k1']));
  await writeFile(ring, `k2:${'a5'.repeat(32)},${secrets}`);
  holdfast.child.kill('SIGHUP');
  await holdfast.sees('reloaded: the key ring changed');
  expect(new Set(await signers())).to.deep.equal(new Set(['k2']));

  // Only the workers find out that this file cannot be opened.
  await writeFile(settings, `secrets-file: ${ring}\naccess-log: ${settings}/log\n`);
  await writeFile(ring, secrets);
  holdfast.child.kill('SIGHUP');
  await holdfast.sees('not reloaded, nothing has changed: --access-log');
  expect(new Set(await signers())).to.deep.equal(new Set(['k2']));

  for (let lost = 1; lost <= 5; lost += 1) {
    const [pid = 0] = await workersOf(proxy);
    process.kill(pid, 'SIGKILL');
    await holdfast.sees(`worker ${pid} ended (SIGKILL)`);
  }
  expect(await holdfast.ended(), holdfast.output.stderr).to.equal(4);
  expect(holdfast.output.stderr).to.include('5 workers were lost within 60 s');
  expect(await holdfast.children()).to.deep.equal([]);
}
