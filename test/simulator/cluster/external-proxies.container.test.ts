/** Every preset with its real program. What a proxy cannot do is stated by its preset, and is refused. */
import { Agent, get } from 'node:http';
import { expect } from 'chai';
import { presetNames } from '#src/shared/package.js';
import type { Cluster } from '#src/simulator/cluster/cluster.js';
import { canDrain } from '#src/simulator/cluster/external/external-proxy.js';
import { portRefuses, waitUntil } from '#src/simulator/cluster/probe.js';
import { type Preset, readPreset } from '#src/simulator/scenario/own-system.js';
import { runText, short } from '../../commands/ran.js';
import { oneLab, program, quickProxy } from '../processes.js';

interface Visit {
  readonly status: number;
  readonly backend: string | undefined;
  readonly cookie: string;
}

function visit({ proxyUrl }: Cluster, cookie = ''): Promise<Visit> {
  return new Promise((resolve, reject) => {
    get(proxyUrl, { agent: false, headers: cookie === '' ? {} : { cookie } }, answer => {
      const given = (answer.headers['set-cookie'] ?? []).map(line => line.split(';')[0]);
      const backend = answer.headers['holdfast-backend'];
      answer.resume();
      resolve({
        status: answer.statusCode ?? 0,
        backend: typeof backend === 'string' ? backend : undefined,
        cookie: given.join('; '),
      });
    }).once('error', reject);
  });
}

/** Sends requests one after the other on a connection that stays open, until `isOver`. Returns the errors. */
async function browse({ proxyUrl }: Cluster, isOver: () => boolean): Promise<string[]> {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const errors: string[] = [];
  while (!isOver())
    await new Promise<void>(resolve => {
      get(proxyUrl, { agent }, answer => answer.resume().once('end', resolve)).once('error', ({ message }) => {
        errors.push(message);
        resolve();
      });
    });
  agent.destroy();
  return errors;
}

/** The backends that new visits reach. Thirty visits miss one of four backends by chance once in a thousand times. */
async function reached(cluster: Cluster, visits = 30): Promise<string[]> {
  const seen = await Promise.all(Array.from({ length: visits }, () => visit(cluster)));
  return [...new Set(seen.map(({ backend }) => backend ?? 'none'))].sort();
}

const three = ['backend-1', 'backend-2', 'backend-3'];

/** Waits until new visits reach exactly these backends. */
async function reaches(cluster: Cluster, backends: readonly string[]): Promise<void> {
  let seen: string[] = [];
  const isSo = async () => {
    seen = await reached(cluster);
    return seen.join() === backends.join();
  };
  if (!(await waitUntil(isSo, 15_000))) expect(seen).to.deep.equal(backends);
}

const tuned = await readPreset('haproxy');

describe('the preset haproxy while all servers that are left are full', function () {
  this.timeout(40_000);
  const inLab = oneLab({
    mode: 'redis',
    backends: { count: 3, env: {}, program: program('slow-backend') },
    // No check fails before the requests are over.
    proxy: {
      health: { everyMs: 20_000, timeoutMs: 300, fall: 2, rise: 1 },
      policy: 'round-robin',
      maxconn: 1,
      queue: 20,
      external: tuned,
    },
    stores: [],
  });

  it('lets requests wait, and does not answer them with 503 because a dead server refuses them', () =>
    inLab(async cluster => {
      const member = cluster.member('backend-2');
      member.signal('SIGKILL');
      await member.waitExit(2_000);
      const answers = await Promise.all(Array.from({ length: 10 }, () => visit(cluster)));
      const statuses = answers.map(({ status }) => status);
      expect(statuses).to.include(200);
      // 502: HAProxy had an open connection to the dead server, and has not seen its end yet.
      expect(statuses.filter(status => status !== 200 && status !== 502)).to.deep.equal([]);
    })());
});

for (const name of presetNames()) {
  const preset: Preset = await readPreset(name);
  const all = canDrain(preset) ? [...three, 'backend-4'] : three;

  describe(`the external proxy ${name}`, function () {
    this.timeout(40_000);
    const inLab = oneLab({
      mode: 'sticky',
      backends: { count: 3, spare: 1, env: {}, program: program('plain-backend') },
      // These backends do not name themselves, so the proxy must.
      proxy: { ...quickProxy, external: preset, extra: ['--name-backends'] },
      stores: [],
    });

    // It comes first: until a spare backend is started, another program can take its port.
    if (canDrain(preset))
      it('sends users to a spare backend once it is started and set ready', () =>
        inLab(async cluster => {
          await reaches(cluster, three);
          await cluster.member('backend-4').start();
          await cluster.proxyAdmin.ready('backend-4');
          await reaches(cluster, all);
        })());

    it('binds a browser to one backend, and is named with its version', () =>
      inLab(async cluster => {
        const { cookie, backend } = await visit(cluster);
        expect(cookie).to.not.equal('');
        const again = await Promise.all([1, 2, 3, 4, 5, 6].map(() => visit(cluster, cookie)));
        expect(again.map(each => each.backend)).to.deep.equal(again.map(() => backend));
        if (preset.version !== undefined) expect(cluster.versions[name]).to.match(/^\d+\.\d/);
      })());

    it('sends new users to the others while a backend is down, and to it when it is back', () =>
      inLab(async cluster => {
        const member = cluster.member('backend-2');
        member.signal('SIGKILL');
        await member.waitExit(2_000);
        expect(await waitUntil(async () => (await visit(cluster)).status === 200, 5_000)).to.equal(true);
        await member.start();
        const isReady = async () =>
          (await cluster.proxyAdmin.backends()).some(one => one.name === 'backend-2' && one.state === 'ready');
        expect(await waitUntil(isReady, 15_000)).to.equal(true);
        await reaches(cluster, all);
      })());

    it(canDrain(preset) ? 'keeps new users away from a draining backend' : 'refuses to drain a backend', () =>
      inLab(async cluster => {
        const { proxyAdmin } = cluster;
        if (!canDrain(preset)) {
          const refusal = await proxyAdmin.drain('backend-1').catch((error: Error) => error.message);
          expect(refusal).to.match(/neither set-drain nor reload/);
          return;
        }
        await proxyAdmin.drain('backend-1');
        await reaches(cluster, all.slice(1));
        const isDrained = async () =>
          (await proxyAdmin.backends()).some(
            one => one.name === 'backend-1' && one.state === 'draining' && one.drained,
          );
        expect(await waitUntil(isDrained, 5_000)).to.equal(true);
        await proxyAdmin.ready('backend-1');
        await reaches(cluster, all);
      })(),
    );

    // A reload closes open connections, and with them requests that are just arriving.
    if (preset.setDrain !== undefined)
      it('breaks off no request of a user when a backend is drained and set ready', () =>
        inLab(async cluster => {
          let isOver = false;
          const users = Array.from({ length: 20 }, () => browse(cluster, () => isOver));
          try {
            for (let left = 3; left > 0; left -= 1) {
              await cluster.proxyAdmin.drain('backend-1');
              await cluster.proxyAdmin.ready('backend-1');
            }
          } finally {
            isOver = true;
          }
          expect((await Promise.all(users)).flat()).to.deep.equal([]);
        })());

    it('reads the same cookies after it was killed and started again', () =>
      inLab(async cluster => {
        const { cookie, backend } = await visit(cluster);
        const proxy = cluster.member('proxy');
        proxy.signal('SIGKILL');
        await proxy.waitExit(2_000);
        expect(await waitUntil(() => portRefuses(proxy.port), 2_000)).to.equal(true);
        await proxy.start();
        await reaches(cluster, all);
        expect((await visit(cluster, cookie)).backend).to.equal(backend);
      })());

    if (preset.reload === undefined) return;

    it('serves another list of backends after a reload, in the order given', () =>
      inLab(async cluster => {
        await cluster.proxyAdmin.reload?.(['backend-3', 'backend-1']);
        await reaches(cluster, ['backend-1', 'backend-3']);
        await cluster.proxyAdmin.reload?.(['backend-3', 'backend-2', 'backend-1', 'backend-4']);
        await reaches(cluster, all);
      })());
  });
}

describe('holdfast run --proxy', function () {
  this.timeout(60_000);

  it('runs a scenario behind nginx: the report names it, and a killed backend loses only its own users', async () => {
    const fault = '\n  - { id: kill, at: 100ms, do: kill, target: backend-2, for: 500ms }';
    const yaml = short('', fault, '    - writes.phantom == 0');
    const { text, result } = await runText(yaml, '--mode', 'sticky', '--proxy', 'nginx');
    expect(text).to.match(/short with nginx 1\.\d+/);
    const [run] = result.runs;
    expect(run?.faults[0]?.healedMs, text).to.be.a('number');
    expect(run?.users.loggedOut, text)
      .to.be.greaterThan(0)
      .and.lessThan(run?.users.total ?? 0);
  });
});
