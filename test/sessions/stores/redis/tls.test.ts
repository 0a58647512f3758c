import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import path from 'node:path';
import { expect } from 'chai';
import { type NewSessionRecord, newSessionId } from '#src/sessions/session.js';
import { redis } from '#src/sessions/stores/redis.js';
import { freePort } from '#src/simulator/cluster/processes/free-port.js';
import { authority, issue } from '../../../proxy/certificates.js';
import { until } from '../../until.js';
import { portWithBus } from '../../with-cluster.js';
import { type RedisProcess, startIn, startProcess, told } from '../../with-redis.js';

/** Without a password, a client may only ask whether the server lives. */
const users = ['user default on nopass -@all +ping', 'user shop on >s%cret ~* &* +@all'];
const login = 'shop:s%25cret';

interface TlsServers {
  readonly ca: string;
  readonly single: number;
  readonly cluster: number;
  readonly sentinel: number;
  stop(): Promise<void>;
}

/** Starts a Redis, a cluster of one node and a sentinel, each with a TLS port. */
function startServers(): Promise<TlsServers> {
  return startIn('holdfast-redis-tls-', async folder => {
    const signer = await authority('Redis');
    const { cert, key } = await issue(signer);
    const [ca, certFile, keyFile] = ['ca', 'cert', 'key'].map(name => path.join(folder, `${name}.pem`));
    await Promise.all([writeFile(`${ca}`, signer.cert), writeFile(`${certFile}`, cert), writeFile(`${keyFile}`, key)]);
    const tls = [
      `tls-cert-file ${certFile}`,
      `tls-key-file ${keyFile}`,
      `tls-ca-cert-file ${ca}`,
      'tls-auth-clients no',
    ];
    const started: RedisProcess[] = [];
    const start = async (name: string, lines: readonly string[], ...args: readonly string[]) => {
      const tlsPort = await portWithBus();
      const file = path.join(folder, `${name}.conf`);
      await writeFile(file, `${[...tls, `tls-port ${tlsPort}`, ...lines].join('\n')}\n`);
      const server = await startProcess(await freePort(), [file, ...args, '--bind', '127.0.0.1', '--dir', folder]);
      started.push(server);
      return { port: server.port, tlsPort };
    };
    const memory = ['save ""', 'appendonly no'];
    const single = await start('single', [...memory, ...users]);
    const cluster = await start('cluster', [
      ...memory,
      'cluster-enabled yes',
      'tls-cluster yes',
      'cluster-config-file nodes.conf',
    ]);
    await told(cluster.port, 'CLUSTER', 'ADDSLOTSRANGE', 0, 16_383);
    await until(async () => (await told(cluster.port, 'CLUSTER', 'INFO')).includes('cluster_state:ok'));
    const monitor = [
      'tls-replication yes',
      `sentinel monitor main 127.0.0.1 ${single.tlsPort} 1`,
      'sentinel auth-user main shop',
      'sentinel auth-pass main s%cret',
    ];
    const sentinel = await start('sentinel', [...monitor, ...users], '--sentinel');
    return {
      ...{ ca: `${ca}`, single: single.tlsPort, cluster: cluster.tlsPort, sentinel: sentinel.tlsPort },
      stop: async () => void (await Promise.all(started.map(server => server.kill()))),
    };
  });
}

/** Passes one connection on to `target`. It hands over the answers at the end, all at once: the certificate, and the alert
 * with which the server answers to a handshake that the client has ended. */
async function relayAtTheEnd(target: number) {
  const server = createServer({ allowHalfOpen: true }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const sawHandshake = once(server, 'connection').then(async ([client]: Socket[]) => {
    const upstream = connect({ port: target, host: '127.0.0.1', allowHalfOpen: true });
    const answers: Buffer[] = [];
    upstream.on('data', answer => answers.push(answer)).on('end', () => client?.end(Buffer.concat(answers)));
    client
      ?.on('error', () => undefined)
      .on('close', () => server.close())
      .pipe(upstream);
    await once(upstream, 'data');
  });
  return { port, sawHandshake, closed: once(server, 'close') };
}

describe('Redis over TLS', () => {
  let servers: TlsServers;
  before(async () => {
    servers = await startServers();
  });
  after(() => servers.stop());

  async function opened(url: string, withinMs: number) {
    const why: string[] = [];
    const onTransition = ({ why: reason }: { readonly why: string }) => void why.push(reason);
    const store = redis.open({ url, deadlineMs: 400, now: Date.now, onTransition });
    return { store, isReady: await store.ready(withinMs), why };
  }

  for (const [what, urlOf] of [
    ['one server', ({ single, ca }: TlsServers) => `rediss://${login}@127.0.0.1:${single}?ca=${ca}`],
    ['a cluster', ({ cluster, ca }: TlsServers) => `rediss+cluster://127.0.0.1:${cluster}?ca=${ca}`],
    [
      'the primary of a sentinel, both with a password',
      ({ sentinel, ca }: TlsServers) =>
        `rediss+sentinel://${login}@127.0.0.1:${sentinel}/main?ca=${ca}&sentinel-login=same`,
    ],
  ] as const) {
    it(`keeps sessions in ${what}`, async () => {
      const { store, isReady, why } = await opened(urlOf(servers), 5_000);
      expect(isReady, why.join()).to.equal(true);
      const id = newSessionId('anna');
      const times = { createdAtMs: Date.now(), idleUntilMs: Date.now() + 60_000, absoluteUntilMs: Date.now() + 60_000 };
      const record: NewSessionRecord = { user: 'anna', data: { cart: ['tea'] }, version: 1, ...times };
      await store.create(id, record);
      expect((await store.read(id))?.data).to.deep.equal(record.data);
      await store.close();
    });
  }

  it('trusts no server with a certificate of an unknown authority', async () => {
    const { store, isReady, why } = await opened(`rediss://${login}@127.0.0.1:${servers.single}`, 300);
    expect([isReady, why.join()]).to.deep.equal([false, 'self-signed certificate in certificate chain']);
    await store.close();
  });

  it('survives its end in the handshake with a server that it does not trust', async () => {
    const relay = await relayAtTheEnd(servers.single);
    const store = redis.open({ url: `rediss://127.0.0.1:${relay.port}`, deadlineMs: 2_000, now: Date.now });
    await relay.sawHandshake;
    await store.close();
    await relay.closed;
  });

  it('says which file of authorities it cannot read', () => {
    const url = 'rediss://127.0.0.1?ca=/no/such/file.pem';
    expect(() => redis.open({ url, deadlineMs: 400, now: Date.now })).to.throw('"/no/such/file.pem" cannot be read');
  });
});
