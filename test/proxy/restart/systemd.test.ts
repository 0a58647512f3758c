import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect } from 'chai';
import { readActivation } from '#src/proxy/restart/systemd.js';
import { root, until } from '../../commands/holdfast.js';
import { ask } from '../ask.js';
import { urlOf, withToys } from '../toy-backend.js';

const address = { host: '127.0.0.1', port: 1 };

describe('sockets of systemd', () => {
  for (const [what, env, expected] of [
    ['none', {}, undefined],
    ['those of another process', { LISTEN_PID: '2', LISTEN_FDS: '1' }, undefined],
    ['one without a name', { LISTEN_PID: '1', LISTEN_FDS: '1' }, [3, undefined, undefined]],
    [
      'one of any name',
      { LISTEN_PID: '1', LISTEN_FDS: '1', LISTEN_FDNAMES: 'holdfast.socket' },
      [3, undefined, undefined],
    ],
    ['three', { LISTEN_PID: '1', LISTEN_FDS: '3', LISTEN_FDNAMES: 'redirect:web:admin' }, [4, 5, 3]],
  ] as const) {
    it(`reads ${what}`, async () => {
      const sockets = readActivation(env, 1);
      if (expected === undefined) return expect(sockets).to.equal(undefined);
      const taken = await Promise.all(
        (['traffic', 'admin', 'redirect'] as const).map(name => sockets?.take(name, address)),
      );
      return expect(taken).to.deep.equal(expected.map(fd => (fd === undefined ? undefined : { fd })));
    });
  }

  it('refuses two for the same purpose', () => {
    expect(() => readActivation({ LISTEN_PID: '1', LISTEN_FDS: '2', LISTEN_FDNAMES: 'a:b' }, 1)).to.throw(
      'systemd passes two sockets for traffic: expected one ListenStream= in each socket unit',
    );
  });

  for (const workers of ['1', '2']) {
    it(`serves on the socket that was open before, and tells the service manager so (workers: ${workers})`, () =>
      withToys([undefined], toy =>
        withActivated(workers, toy?.url.origin ?? '', async (url, told) => {
          expect((await ask(url, '/')).text).to.equal('backend-1');
          await until(
            async () => /^READY=1 MAINPID=\d+$/m.test(await told()),
            5000,
            () => 'READY=1',
          );
        }),
      ));
  }
});

/** Stands for systemd-notify: it writes down what it is told. */
const notifyScript = '#!/bin/sh\necho "$@" >> "$NOTIFY_SOCKET"\n';

/** Passes an open socket as descriptor 3. Only a shell can put its own process id into `LISTEN_PID`. */
async function withActivated(
  workers: string,
  backend: string,
  use: (url: string, told: () => Promise<string>) => Promise<void>,
): Promise<void> {
  const folder = await mkdtemp(path.join(tmpdir(), 'holdfast-systemd-'));
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = urlOf(server).origin;
  const notes = path.join(folder, 'notes');
  const bin = path.join(folder, 'systemd-notify');
  await writeFile(bin, notifyScript);
  await chmod(bin, 0o755);
  const flags = ['--workers', workers, '--admin-port', '0', '--backend', backend];
  const child = spawn(
    '/bin/sh',
    ['-c', 'LISTEN_PID=$$ exec "$@"', 'sh', process.execPath, path.join(root, 'dist/cli.js'), 'proxy', ...flags],
    {
      stdio: ['ignore', 'ignore', 'pipe', fdOf(server)],
      env: { ...process.env, LISTEN_FDS: '1', NOTIFY_SOCKET: notes, PATH: `${folder}:${process.env.PATH}` },
    },
  );
  server.close();
  let said = '';
  child.stderr?.on('data', chunk => {
    said += chunk;
  });
  const ended = once(child, 'exit');
  try {
    await until(
      () => said.includes(`listening on ${url}`),
      15_000,
      () => `${url} in:\n${said}`,
    );
    await use(url, () => readFile(notes, 'utf8').catch(() => ''));
    child.kill('SIGTERM');
    expect((await ended)[0], said).to.equal(0);
    expect(await readFile(notes, 'utf8')).to.match(/^STOPPING=1$/m);
  } finally {
    child.kill('SIGKILL');
    await rm(folder, { recursive: true });
  }
}

/** Node has no public way to read the descriptor of a server. */
function fdOf(server: Server): number {
  return Number(Reflect.get(Reflect.get(server, '_handle'), 'fd'));
}
