/** Tests the discovery of backends with a DNS server. */
import { createServer, type Server } from 'node:http';
import { expect } from 'chai';
import { UsageError } from '#src/commands/lib/flags.js';
import { Discovery, KnownEndpoints } from '#src/commands/proxy/discovery.js';
import { parseServer } from '#src/commands/proxy/listen-options.js';
import { ask, viewsOf } from '../../proxy/ask.js';
import { until, withHoldfast } from '../holdfast.js';
import { withDns } from './dns-server.js';

const hour = 3_600_000;

const rows: readonly (readonly [backend: string, texts: readonly string[]])[] = [
  ['http://app.test:3000', ['http://10.0.0.1:3000', 'http://10.0.0.2:3000', 'http://[fd00::1]:3000']],
  ['http://one.test', ['http://10.0.0.9']],
  ['red=http://one.test:1/,weight=3', ['red-10.0.0.9=http://10.0.0.9:1/,weight=3']],
  ['srv:_http._tcp.app.test,weight=2', ['http://10.0.0.9:8001,weight=2', 'http://10.0.0.9:8002,weight=2']],
  ['x=srv:_http._tcp.app.test', ['x-10.0.0.9-8001=http://10.0.0.9:8001', 'x-10.0.0.9-8002=http://10.0.0.9:8002']],
  ['http://10.1.1.1:1', ['http://10.1.1.1:1']],
  ['http://[::1]:1', ['http://[::1]:1']],
  ['http://localhost:1', ['http://localhost:1']],
  ['https://app.test', ['https://app.test']],
  ['http://unknown.test:1', ['http://unknown.test:1']],
  ['http://a:b:c', ['http://a:b:c']],
];

const zone = {
  'app.test': { addresses: ['10.0.0.2', 'fd00:0:0:0:0:0:0:1', '10.0.0.1'] },
  'one.test': { addresses: ['10.0.0.9'] },
  '_http._tcp.app.test': {
    services: [
      { host: 'one.test', port: 8002 },
      { host: 'one.test', port: 8001 },
      { host: 'app.test', port: 9000, priority: 10 },
    ],
  },
};

describe('--resolve', () => {
  for (const [backend, texts] of rows) {
    it(`turns ${backend} into ${texts.join(' ')}`, () =>
      withDns(async dns => {
        dns.zone = zone;
        const discovery = new Discovery(() => {});
        expect(await discovery.expand([backend], hour, dns.address)).to.deep.equal(texts);
        discovery.stop();
      }));
  }

  it('refuses a service without an interval, and one that DNS does not know at the start', () =>
    withDns(async dns => {
      const discovery = new Discovery(() => {});
      const service = 'srv:_http._tcp.nowhere.test';
      expect(await discovery.expand([service], 0, dns.address).catch(String)).to.include('add --resolve 30s');
      expect(await discovery.expand([service], hour, dns.address).catch(String)).to.include('DNS knows no address');
      discovery.stop();
    }));

  it('keeps an address through failures and two answers without it, and drops it after the third', () => {
    const [one, two] = [
      { address: '10.0.0.1', port: undefined },
      { address: '10.0.0.2', port: undefined },
    ];
    const known = new KnownEndpoints();
    expect([known.update([two, one]), known.all]).to.deep.equal([true, [one, two]]);
    expect([known.update([one, two]), known.update([])]).to.deep.equal([false, false]);
    expect([known.update([one]), known.update([one]), known.all.length]).to.deep.equal([false, false, 2]);
    expect([known.update([one, two]), known.update([one]), known.update([one])]).to.deep.equal([false, false, false]);
    expect([known.update([one]), known.all]).to.deep.equal([true, [one]]);
  });

  it('refuses a DNS server that would never be asked', () => {
    expect(parseServer({ resolver: '10.0.0.2:53' }, 1000)).to.equal('10.0.0.2:53');
    expect(() => parseServer({ resolver: '10.0.0.2:53' }, 0)).to.throw(UsageError, 'without --resolve TIME');
  });

  it('adds and removes backends of a running proxy as DNS says, and keeps all while DNS fails', function () {
    if (process.platform !== 'linux') this.skip();
    return withServers(['127.0.0.2', '127.0.0.3'], port =>
      withDns(async dns => {
        dns.zone = { 'app.test': { addresses: ['127.0.0.2'] } };
        const where = ['--port=0', '--admin-port=0', '--resolve=100ms', '--resolver', dns.address];
        await withHoldfast(
          ['proxy', ...where, '--backend', `app=http://app.test:${port}`],
          async ({ sees, output, child, ended }) => {
            await sees(/listening on /);
            const [, url = '', admin = ''] = /listening on (\S+), admin API on (\S+)/.exec(output.stderr) ?? [];
            const names = async () => (await viewsOf(admin)).map(({ name }) => name);
            expect((await ask(url, '/')).text).to.equal('127.0.0.2');
            dns.zone = { 'app.test': { addresses: ['127.0.0.3', '127.0.0.2'] } };
            await sees(/reloaded: app-127\.0\.0\.3 \(\S+\) added/);
            expect(await names()).to.deep.equal(['app-127.0.0.2', 'app-127.0.0.3']);
            dns.zone = undefined;
            const { asked } = dns;
            await until(
              () => dns.asked > asked + 12,
              15_000,
              () => 'questions that fail',
            );
            expect(await names()).to.deep.equal(['app-127.0.0.2', 'app-127.0.0.3']);
            dns.zone = { 'app.test': { addresses: ['127.0.0.3'] } };
            await sees(/reloaded: app-127\.0\.0\.2 \(\S+\) removed/);
            expect((await ask(url, '/')).text).to.equal('127.0.0.3');
            child.kill('SIGTERM');
            expect(await ended(), output.stderr).to.equal(0);
          },
        );
      }),
    );
  });
});

/** Runs a server on each address, all on one port; each answers with its address. */
async function withServers(addresses: readonly string[], use: (port: number) => Promise<void>): Promise<void> {
  const servers: Server[] = [];
  let port = 0;
  try {
    for (const address of addresses) {
      const server = createServer((_request, response) => response.end(address));
      servers.push(server);
      await new Promise<void>((resolve, reject) => server.on('error', reject).listen(port, address, resolve));
      const bound = server.address();
      port = typeof bound === 'object' && bound !== null ? bound.port : port;
    }
    await use(port);
  } finally {
    for (const server of servers) {
      server.close();
      server.closeAllConnections();
    }
  }
}
