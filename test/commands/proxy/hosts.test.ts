import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import { Agent } from 'node:https';
import path from 'node:path';
import { connect } from 'node:tls';
import { expect } from 'chai';
import yargs from 'yargs';
import { addProxyFlags } from '#src/commands/proxy/flags.js';
import { readSettings } from '#src/commands/proxy/settings.js';
import { ProxySite } from '#src/commands/proxy/site.js';
import type { ProxyOptions } from '#src/proxy/options.js';
import { generateKeyRing } from '#src/shared/key-ring.js';
import { inFolder } from '../../in-folder.js';
import { ask } from '../../proxy/ask.js';
import { authority, issue } from '../../proxy/certificates.js';
import { withToys } from '../../proxy/toy-backend.js';
import { root, until, withHoldfast } from '../holdfast.js';
import { commandLine } from '../in-process.js';

/** Lists of hosts that are not valid, each with the error message after the name of the file. */
const bad: readonly [name: string, text: string, says: string][] = [
  ['no list', 'hosts: x', ':1:8: expected a list of hosts, each with "host" and "backend"'],
  ['no mapping', 'hosts: [x]', ':1:9: expected a list of hosts, each with "host" and "backend"'],
  ['no backend', 'hosts: [{ host: a.test }]', ':1:9: a.test has no backend'],
  ['no host', 'hosts: [{ backend: http://a:1 }]', ':1:9: host: expected a name such as shop.example.com'],
  ['a host that is none', 'hosts: [{ host: a/b, backend: http://a:1 }]', ':1:17: host: expected a name such as'],
  [
    'a setting of the whole proxy',
    'hosts:\n  - host: a.test\n    backend: http://a:1\n    port: 1',
    ':4:5: unknown setting of a host "port"',
  ],
  [
    'a value that does not fit',
    'hosts:\n  - host: a.test\n    backend: http://a:1\n    drain: 30',
    ':4: --drain "30": expected a time such as 500ms',
  ],
  [
    'a wrong backend',
    'hosts:\n  - host: a.test\n    backend: ftp://a:1',
    ':3: --backend "ftp://a:1": expected an origin',
  ],
  [
    'a host twice',
    'hosts:\n  - { host: a.test, backend: http://a:1 }\n  - { host: A.test, backend: http://a:1 }',
    ':3:13: host: a.test is given twice',
  ],
];

describe('hosts in the configuration file', () => {
  it('have their own settings, and those at the top for the rest', async () => {
    const { hosts = [], backends } = await optionsOf(
      `policy: random
drain: 5s
pool: main
backend: [http://z:1]
hosts:
  - host: Shop.Example.com
    backend: [http://a:1, red=http://b:1]
    policy: least-connections
    health-path: /up
  - host: "*.example.com"
    backend: http://a:1
    affinity: off
    pool: other
`,
    );
    expect(backends.map(({ name }) => name)).to.deep.equal(['backend-1']);
    const [shop, any] = hosts;
    expect(shop).to.deep.include({
      host: 'shop.example.com',
      policy: 'least-connections',
      drainMs: 5000,
      tls: undefined,
    });
    expect(shop?.backends.map(({ name }) => name)).to.deep.equal([
      'shop.example.com:backend-1',
      'shop.example.com:red',
    ]);
    expect(shop?.health.path).to.equal('/up');
    expect(shop?.affinity?.pool).to.equal('shop_example_com');
    expect(any).to.deep.include({ host: '*.example.com', policy: 'random', affinity: undefined });
    expect(any?.health.path).to.equal('/health');
  });

  it('need no backend at the top', async () => {
    const options = await optionsOf('hosts: [{ host: a.test, backend: http://a:1 }]');
    expect(options.backends).to.deep.equal([]);
    expect(options.hosts).to.have.lengthOf(1);
  });

  it('are in the manual in a form that works', async () => {
    const manual = await readFile(path.join(root, 'docs/proxy-operate.md'), 'utf8');
    const text =
      [...manual.matchAll(/```yaml\n(# proxy\.yaml\n[^`]*)```/g)].find(([block]) => block.includes('hosts:'))?.[1] ??
      '';
    // The certificates are not there.
    const { hosts = [] } = await optionsOf(text.replaceAll(/^.*(?:tls-|redirect-).*$/gm, ''));
    expect(hosts.map(({ host, drainMs }) => [host, drainMs])).to.deep.equal([
      ['shop.example.com', 60_000],
      ['*.example.com', 60_000],
    ]);
  });

  for (const [name, text, says] of bad) {
    it(`refuses ${name}, with the place`, async () => {
      const error = await optionsOf(text).then(() => '', String);
      expect(error).to.include(`proxy.yaml${says}`);
    });
  }
});

describe('flag --redirect-https', () => {
  for (const [words, says] of [
    [['--redirect-https', '80'], '--redirect-https leads to https, which this proxy does not speak'],
    [['--tls', 'dev', '--redirect-https', 'x'], '--redirect-https "x": expected a port such as 80, or 8080:443'],
    [['--tls', 'dev', '--redirect-https', '8081'], '--admin-port and --redirect-https are both 8081'],
  ] as const) {
    it(`refuses ${words.join(' ')}`, async () => {
      const { code, stderr } = await commandLine(['proxy', '--backend', 'http://127.0.0.1:1', ...words]);
      expect(code).to.equal(3);
      expect(stderr).to.include(says);
    });
  }
});

describe('holdfast proxy with several hosts', () => {
  for (const workers of ['1', '2']) {
    it(`serves them over TLS, redirects to them, reloads and restarts (workers: ${workers})`, () =>
      inFolder(async folder => {
        const ca = await authority('Test authority');
        const write = (name: string, text: string) => writeFile(path.join(folder, name), text, { mode: 0o600 });
        for (const host of ['one.localhost', 'two.localhost']) {
          const { cert, key } = await issue(ca, { names: [host] });
          await write(`${host}.pem`, cert);
          await write(`${host}.key`, key);
        }
        await withToys([undefined, undefined], async (first, second) => {
          const entry = (host: string, origin = '') =>
            [
              `  - host: ${host}`,
              `    backend: ${origin}`,
              `    tls-cert: ${host}.pem`,
              `    tls-key: ${host}.key`,
            ].join('\n');
          const top = `port: 0\nadmin-port: 0\nredirect-https: "0:443"\nworkers: ${workers}\nhosts:\n`;
          const config = (list: string[]) => write('proxy.yaml', top + list.join('\n'));
          await config([entry('one.localhost', first?.url.origin)]);
          const file = path.join(folder, 'proxy.yaml');
          await withHoldfast(['proxy', '--config', file], async ({ child, output, sees }) => {
            await sees('listening on');
            const said = (pattern: RegExp) => [...output.stderr.matchAll(pattern)].at(-1)?.[1] ?? '';
            const portOf = () => new URL(said(/listening on (https:\S+),/g)).port;
            const site = (host: string) => {
              const agent = new Agent({ ca: ca.cert, servername: host });
              return ask(`https://127.0.0.1:${portOf()}`, '/', { agent, headers: { host } });
            };
            expect((await site('one.localhost')).text).to.equal('backend-1');
            const redirect = said(/redirecting (http:\S+) to https/g);
            const moved = await ask(redirect, '/a?b', { headers: { host: 'one.localhost' } });
            expect(moved).to.include({ status: 308 });
            expect(moved.headers.location).to.equal('https://one.localhost/a?b');
            expect((await ask(redirect, '/', { headers: { host: 'two.localhost' } })).status).to.equal(421);

            await config([entry('one.localhost', first?.url.origin), entry('two.localhost', second?.url.origin)]);
            child.kill('SIGHUP');
            await sees(/reloaded: two\.localhost:backend-1 \(.*\) added, host two\.localhost added/);
            expect((await site('two.localhost')).text).to.equal('backend-2');
            expect((await ask(redirect, '/', { headers: { host: 'two.localhost' } })).status).to.equal(308);

            const { session } = await shakeHands(portOf());
            child.kill('SIGUSR2');
            await sees(/restart: process \d+ serves/);
            expect(said(/redirecting (http:\S+) to https/g)).to.equal(redirect);
            await until(
              () => child.exitCode !== null,
              10_000,
              () => 'the end of the first process',
            );
            expect((await shakeHands(portOf(), session)).resumed).to.equal(true);
            expect((await site('one.localhost')).text).to.equal('backend-1');
            expect((await site('two.localhost')).text).to.equal('backend-2');
            expect((await ask(redirect, '/', { headers: { host: 'one.localhost' } })).status).to.equal(308);
            process.kill(Number(said(/restart: process (\d+) serves/g)), 'SIGTERM');
          });
        });
      }));
  }
});

/** Makes one request over TLS; the session ticket comes before its answer. */
async function shakeHands(port: string, session?: Buffer): Promise<{ session: Buffer | undefined; resumed: boolean }> {
  const host = 'one.localhost';
  const given = session === undefined ? {} : { session };
  const socket = connect({
    port: Number(port),
    host: '127.0.0.1',
    servername: host,
    rejectUnauthorized: false,
    ...given,
  });
  let ticket: Buffer | undefined;
  socket.on('session', bytes => {
    ticket = bytes;
  });
  socket.write(`GET / HTTP/1.1\r\nhost: ${host}\r\n\r\n`);
  await once(socket, 'data');
  const resumed = socket.isSessionReused();
  socket.destroy();
  return { session: ticket, resumed };
}

async function optionsOf(text: string): Promise<ProxyOptions> {
  return inFolder(async folder => {
    const file = path.join(folder, 'proxy.yaml');
    await writeFile(file, text);
    const settings = await readSettings(file, [], words => addProxyFlags(yargs([...words])));
    return settings.checked(args =>
      new ProxySite({ keys: generateKeyRing(), names: new Map() }).options(args, args.backend ?? [], settings.hosts),
    );
  });
}
