/** Tests a flood of silent connections at a proxy that has few file descriptors, with real processes. */
import { once } from 'node:events';
import { Agent } from 'node:http';
import { connect, type Socket } from 'node:net';
import { expect } from 'chai';
import { until, withHoldfast } from '../commands/holdfast.js';
import { ask, cookieOf } from './ask.js';
import { withToys } from './toy-backend.js';

const openFilesMax = 64;
const silentConnections = 120;
const listening = /listening on (http:\S+), admin API on (http:\S+)/;

/** Opens connections that send nothing, one after the other. */
async function openSilent(url: string, count: number): Promise<Socket[]> {
  const { hostname, port } = new URL(url);
  const sockets: Socket[] = [];
  for (let nth = 0; nth < count; nth += 1) {
    const socket = connect(Number(port), hostname);
    socket.on('error', () => {});
    sockets.push(socket.resume());
    await once(socket, 'connect');
  }
  return sockets;
}

async function metricsOf(admin: string): Promise<(name: string) => number> {
  const { text } = await ask(admin, '/metrics');
  const values = new Map(text.split('\n').map(line => [line.replace(/ \S+$/, ''), Number(line.split(' ').at(-1))]));
  return name => values.get(`holdfast_proxy_${name}`) ?? 0;
}

describe('proxy: flooded with silent connections, short of file descriptors', function () {
  this.timeout(60_000);
  before(function () {
    if (process.platform !== 'linux') this.skip();
  });

  for (const [workers, engine] of [
    ['1', 'wire'],
    ['2', 'wire'],
    ['1', 'http-proxy'],
    ['2', 'http-proxy'],
  ]) {
    it(`serves established clients, refuses new ones, and is as before afterwards (${workers} processes, ${engine})`, () =>
      withToys([undefined, undefined], async (...toys) => {
        const given = toys.flatMap(({ url }) => ['--backend', url.origin]);
        const args = ['proxy', ...given, '--port=0', '--admin-port=0', `--workers=${workers}`, `--engine=${engine}`];
        await withHoldfast(
          args,
          async ({ sees, output, child, ended }) => {
            await sees(listening);
            const [, url = '', admin = ''] = listening.exec(output.stderr) ?? [];
            const agents = Array.from({ length: 4 }, () => new Agent({ keepAlive: true, maxSockets: 1 }));
            const first = await Promise.all(agents.map(agent => ask(url, '/', { agent })));
            const again = () =>
              Promise.all(
                agents.map((agent, nth) =>
                  ask(url, '/', { agent, headers: { cookie: cookieOf(first[nth] ?? fail()) ?? '' } }),
                ),
              );
            const silent = await openSilent(url, silentConnections);
            const refused = () => silent.filter(({ closed }) => closed).length;
            await until(
              async () => {
                const metric = await metricsOf(admin);
                const turnedAway = metric('connections_turned_away_total{reason="limit"}');
                return turnedAway > 0 && refused() >= turnedAway && refused() + metric('connections') >= silent.length;
              },
              15_000,
              () => 'every silent connection is taken or refused',
            );
            for (let round = 0; round < 20; round += 1) {
              const answers = await again();
              expect(answers.map(({ status, text }) => [status, text])).to.deep.equal(
                first.map(({ text }) => [200, text]),
              );
            }
            for (const socket of silent) socket.destroy();
            await until(
              async () => (await metricsOf(admin))('connections') === agents.length,
              15_000,
              () => 'only the established clients are left',
            );
            const newcomers = await Promise.all(agents.map(() => ask(url, '/')));
            expect(newcomers.map(({ status }) => status)).to.deep.equal([200, 200, 200, 200]);
            for (const agent of agents) agent.destroy();
            expect(output.stderr).to.match(/at most \d+ connections of clients.*: 64 files may be open; ulimit -n/);
            expect(output.stderr).to.not.match(/EMFILE|worker \d+ ended|ready ->/);
            child.kill('SIGTERM');
            expect(await ended(), output.stderr).to.equal(0);
          },
          {},
          openFilesMax,
        );
      }));
  }

  it('serves clients as before while silent connections fill the admin port', () =>
    withToys([undefined], toy =>
      withHoldfast(
        ['proxy', '--backend', toy.url.origin, '--port=0', '--admin-port=0'],
        async ({ sees, output }) => {
          await sees(listening);
          const [, url = '', admin = ''] = listening.exec(output.stderr) ?? [];
          const silent = await openSilent(admin, silentConnections);
          const agents = Array.from({ length: 6 }, () => new Agent({ keepAlive: true, maxSockets: 1 }));
          for (let round = 0; round < 5; round += 1) {
            const answers = await Promise.all(agents.map(agent => ask(url, '/', { agent })));
            expect(answers.map(({ status }) => status)).to.deep.equal(agents.map(() => 200));
          }
          await until(
            () => silent.every(({ closed }) => closed),
            15_000,
            () => 'the silent connections are closed',
          );
          expect((await ask(admin, '/backends')).status).to.equal(200);
          for (const agent of agents) agent.destroy();
        },
        {},
        openFilesMax,
      ),
    ));
});

function fail(): never {
  throw new Error('no answer');
}
