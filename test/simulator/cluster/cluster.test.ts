import { once } from 'node:events';
import { readFileSync, statSync } from 'node:fs';
import type { RequestListener } from 'node:http';
import { createServer } from 'node:net';
import { constants, getPriority } from 'node:os';
import { expect } from 'chai';
import { Redis } from 'ioredis';
import { parseKeyRing } from '#src/shared/key-ring.js';
import type { LabCluster } from '#src/simulator/cluster/cluster.js';
import { answersWith, waitUntil } from '#src/simulator/cluster/probe.js';
import { freePort } from '#src/simulator/cluster/processes/free-port.js';
import { type ClusterSpec, startCluster } from '#src/simulator/cluster/start-cluster.js';
import { plainStores } from '#src/simulator/cluster/stores/registry.js';
import { Interrupted, LabError } from '#src/simulator/errors.js';
import { withRedis } from '../../sessions/with-redis.js';
import { withHttpServer } from '../../with-http-server.js';
import { isRunning, leavingNothing, oneLab, program, quickProxy, withCluster } from '../processes.js';

const never = new AbortController().signal;
const doNothing = (): void => undefined;

const stores: ClusterSpec = { mode: 'redis', backends: { count: 2, env: {} }, stores: ['redis'] };
/** The same with backends that start sooner than a shop. */
const plain: ClusterSpec = { ...stores, backends: { count: 2, env: {}, program: program('plain-backend') } };

async function captureFailure(work: Promise<unknown>): Promise<Error> {
  try {
    await work;
  } catch (error) {
    if (error instanceof Error) return error;
  }
  throw new Error('it did not reject');
}

async function withPath<T>(value: string, use: () => Promise<T>): Promise<T> {
  const { PATH } = process.env;
  process.env.PATH = value;
  try {
    return await use();
  } finally {
    process.env.PATH = PATH;
  }
}

describe('cluster', () => {
  it('starts processes through the queue and with a higher niceness when other labs run beside it', () =>
    leavingNothing(async () => {
      let started = 0;
      const inTurn: ClusterSpec['inTurn'] = start => {
        started += 1;
        return start();
      };
      await withCluster({ ...plain, proxy: quickProxy, inTurn }, async ({ members }) => {
        expect(started).to.equal(members.length);
        const expected = Math.min(getPriority() + 10, constants.priority.PRIORITY_LOW);
        for (const { name, pid } of members) expect(getPriority(pid), name).to.equal(expected);
      });
    }));

  it('ends at once when it is interrupted in the queue, and starts nothing later', () =>
    leavingNothing(async () => {
      const turns: (() => Promise<void>)[] = [];
      const inTurn: ClusterSpec['inTurn'] = start =>
        new Promise((begun, refused) => turns.push(() => start().then(begun, refused)));
      const interruption = new AbortController();
      const spec: ClusterSpec = { ...stores, stores: ['redis', 'postgres'], inTurn };
      const starting = captureFailure(startCluster(spec, interruption.signal, doNothing));
      expect(await waitUntil(async () => turns.length === 2, 5_000)).to.equal(true);
      interruption.abort();
      expect(await starting).to.be.instanceOf(Interrupted);
      for (const turn of turns) await turn();
      expect(turns).to.have.length(2);
    }));

  it('starts again with other ports when another program has taken one of them', () =>
    leavingNothing(async () => {
      const ports: number[] = [];
      const thief = createServer();
      const answer: RequestListener = async ({ url }, response) => {
        ports.push(Number(url?.slice(1)));
        if (ports.length === 1) await once(thief.listen(ports[0], '127.0.0.1'), 'listening');
        response.end();
      };
      await withHttpServer(answer, async origin => {
        const backends = { count: 1, env: { TEST_ORIGIN: origin }, program: program('late-backend') };
        await withCluster({ mode: 'sticky', backends, stores: [] }, async ({ member }) => {
          expect(member('backend-1').port).to.equal(ports[1]);
          expect(ports).to.have.length(2);
        });
      }).finally(() => thief.close());
    }));

  it('starts real processes, reports each change of state, and leaves nothing when stopped once or twice', () =>
    leavingNothing(async () => {
      const transitions: string[] = [];
      const cluster = await startCluster(plain, never, (member, state) => transitions.push(`${member} ${state}`));
      const pids = cluster.members.map(({ pid }) => pid);
      for (const member of cluster.members) expect(await member.answers(500), member.name).to.equal(true);
      expect(cluster.members.map(({ name, role }) => `${name} ${role}`)).to.have.members([
        'redis store',
        'backend-1 backend',
        'backend-2 backend',
      ]);
      expect(cluster.versions.redis ?? cluster.versions.valkey).to.match(/^\d+\.\d+/);
      await Promise.all([cluster.stop(), cluster.stop()]);
      await cluster.stop();
      for (const pid of pids) expect(isRunning(pid ?? 0)).to.equal(false);
      expect(transitions.slice(0, 3)).to.have.members(['redis up', 'backend-1 up', 'backend-2 up']);
      expect(transitions.slice(3)).to.have.members(['redis dead', 'backend-1 dead', 'backend-2 dead']);
    }));

  it('stops a process that was stopped by SIGSTOP, and one that ignores SIGTERM', () =>
    leavingNothing(async () => {
      const cluster = await startCluster(
        { ...stores, backends: { count: 2, env: {}, program: program('stubborn-backend') } },
        never,
        doNothing,
      );
      cluster.member('backend-1').signal('SIGSTOP');
      cluster.member('redis').signal('SIGSTOP');
      await cluster.stop();
    }));

  describe('two backends', () => {
    const lab = oneLab({ ...plain, stores: [], mode: 'sticky' });

    it(
      'gives all backends one file with the key ring and one directory for accounts',
      lab(async cluster => {
        const [one, two] = ['backend-1', 'backend-2'].map(name => environmentOf(cluster, name));
        expect(one?.SHOP_SECRETS_FILE).to.equal(cluster.secretsFile).and.equal(two?.SHOP_SECRETS_FILE);
        expect(one?.SHOP_ACCOUNTS)
          .to.equal(two?.SHOP_ACCOUNTS)
          .and.satisfy((folder: string) => statSync(folder).isDirectory());
        const file = cluster.secretsFile ?? '';
        expect(statSync(file).mode & 0o777).to.equal(0o600);
        expect(parseKeyRing(readFileSync(file, 'utf8'))).to.have.length(1);
      }),
    );

    it(
      'starts a dead member again on the same port as a new process',
      lab(async cluster => {
        const member = cluster.member('backend-1');
        const { pid, port } = member;
        member.signal('SIGKILL');
        expect(await member.waitExit(2_000)).to.deep.equal({ code: null, signal: 'SIGKILL' });
        expect(member).to.include({ pid: undefined, state: 'dead' });
        expect(member.signal('SIGTERM')).to.equal(false);
        await member.start();
        expect(member).to.include({ port, state: 'up' });
        expect(member.pid).to.not.equal(pid);
        expect(await member.waitExit(10)).to.equal(undefined);
      }),
    );

    it(
      'lists its members when an unknown member is requested',
      lab(async cluster => {
        expect(() => cluster.member('backend-9')).to.throw(LabError, 'backend-1');
      }),
    );
  });

  it('limits the memory of memcached, and reads its evictions', () =>
    leavingNothing(() =>
      withCluster(
        {
          ...plain,
          stores: ['memcached'],
          mode: 'memcached',
          storesSpec: { ...plainStores, memcached: { nodes: 1, memoryMb: 1 } },
        },
        async cluster => {
          const member = cluster.member('memcached');
          expect(await member.counts()).to.deep.equal({ evictions: 0 });
          const fill = (key: number) => `set ${key} 0 0 20000 noreply\r\n${'x'.repeat(20_000)}\r\n`;
          const lines = Array.from({ length: 60 }, (_, key) => fill(key)).join('');
          await answersWith(
            member.port,
            `${lines}version\r\n`,
            answer => String(answer).endsWith('\r\n') || undefined,
            2_000,
          );
          expect((await member.counts())?.evictions).to.be.within(1, 40);
        },
      ),
    ));

  it('says why a backend does not boot, with its last lines, and stops all other processes', () =>
    leavingNothing(async () => {
      const began = performance.now();
      const spec = { ...stores, backends: { count: 2, env: {}, program: program('failing-backend') } };
      const error = await captureFailure(startCluster(spec, never, doNothing));
      expect(error).to.be.instanceOf(LabError);
      expect(error.message).to.match(/^backend-[12] ended with code 7 before it answered on port \d+/);
      expect(error.message).to.include('| the database is on holiday').and.include('| line 12\n').and.include('try: ');
      expect(error.message).to.not.include('| line 11\n');
      expect(performance.now() - began).to.be.below(8_000);
    }));

  it('rejects when a process ends right after it has answered', () =>
    leavingNothing(async () => {
      const backends = { count: 1, env: {}, program: program('short-lived-backend') };
      const spec = { mode: 'sticky', backends, stores: [], proxy: quickProxy } as const;
      const error = await captureFailure(startCluster(spec, never, doNothing));
      expect(error).to.be.instanceOf(LabError);
      expect(error.message).to.match(/^backend-1 ended with code 1 before the lab was up/);
      expect(error.message).to.include('| the port is not mine');
    }));

  it('gives the backends the URL of a server of the user, which is no member and is not stopped', () =>
    withRedis(redis =>
      leavingNothing(async () => {
        const spec = { ...plain, storeUrls: { redis: redis.url } };
        await withCluster(spec, async cluster => {
          expect(cluster.members.map(({ name }) => name)).to.deep.equal(['backend-1', 'backend-2']);
          expect(environmentOf(cluster, 'backend-1')).to.include({ REDIS_URL: redis.url });
          expect(cluster.versions).to.deep.equal({});
        });
        const client = new Redis(redis.url);
        expect(await client.ping()).to.equal('PONG');
        client.disconnect();
      }),
    ));

  it('creates no keys or accounts when the scenario sets them', () =>
    leavingNothing(async () => {
      const env = { SHOP_SECRETS: `k1:${'ab'.repeat(32)}`, SHOP_ACCOUNTS: '/nowhere' };
      const spec: ClusterSpec = { ...plain, stores: [], mode: 'sticky', backends: { ...plain.backends, env } };
      await withCluster(spec, async cluster => {
        expect(cluster.secretsFile).to.equal(undefined);
        expect(environmentOf(cluster, 'backend-1')).to.include(env).and.not.have.property('SHOP_SECRETS_FILE');
      });
    }));

  it('lists the store servers when an unknown one is requested', async () => {
    const error = await captureFailure(startCluster({ ...stores, stores: ['rediss'] }, never, doNothing));
    expect(error).to.be.instanceOf(LabError);
    expect(error.message).to.include('unknown store server "rediss"').and.include('redis');
  });

  it('says how to install Redis when it is missing', () =>
    leavingNothing(() =>
      withPath('', async () => {
        const error = await captureFailure(startCluster(stores, never, doNothing));
        expect(error).to.be.instanceOf(LabError);
        expect(error.message).to.match(/^redis-server \(or valkey-server\) is missing on PATH\. .* doctor --install$/);
      }),
    ));

  it('says which port is in use', () =>
    leavingNothing(async () => {
      const port = await freePort();
      const taken = createServer().listen(port, '127.0.0.1');
      await once(taken, 'listening');
      try {
        const spec = { ...plain, stores: [], mode: 'sticky', proxy: { ...quickProxy, port } } as const;
        const error = await captureFailure(startCluster(spec, never, doNothing));
        expect(error).to.be.instanceOf(LabError);
        expect(error.message).to.include(`port ${port} on 127.0.0.1 is in use`).and.include('--port');
      } finally {
        taken.close();
      }
    }));

  it('leaves nothing when it is interrupted at any moment of its start', () =>
    leavingNothing(async () => {
      for (const afterMs of [0, 5, 30, 120, 300]) {
        const interruption = new AbortController();
        setTimeout(() => interruption.abort(), afterMs);
        const outcome = await startCluster(plain, interruption.signal, doNothing).then(
          cluster => cluster.stop(),
          failureOf,
        );
        if (outcome !== undefined) expect(outcome).to.be.instanceOf(Interrupted);
      }
    }));
});

/** Returns the environment of a member, as the kernel reports it. */
function environmentOf(cluster: LabCluster, name: string): Record<string, string> {
  const lines = readFileSync(`/proc/${cluster.member(name).pid}/environ`, 'utf8').split('\0');
  return Object.fromEntries(lines.map(line => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]));
}

function failureOf(error: unknown): unknown {
  return error;
}
