import { realpathSync } from 'node:fs';
import { readFile, rm } from 'node:fs/promises';
import path from 'node:path';
import { expect } from 'chai';
import { fillPlaceholders, type OwnBackend, placeholderValues } from '#src/simulator/cluster/backend.js';
import { portRefuses, waitUntil } from '#src/simulator/cluster/probe.js';
import type { ClusterSpec } from '#src/simulator/cluster/start-cluster.js';
import { LabError } from '#src/simulator/errors.js';
import { exec } from '#src/simulator/faults/kinds/exec.js';
import { isRunning, leavingNothing, processes, program, withCluster } from '../processes.js';

const node = JSON.stringify(process.execPath);
const server = JSON.stringify(program('own-app'));
const folder = path.dirname(program('own-app'));

/** Command whose shell has the app and another process as children, as with `npm start`. */
const underShell = `echo started {name}; sleep 300 & ${node} ${server}; echo over`;

function spec(own: Partial<OwnBackend>): ClusterSpec {
  return {
    mode: 'sticky',
    backends: {
      count: 1,
      env: { WHO: '{name} at {port}', STORE: '<{store}{redis}>' },
      own: { command: underShell, directory: folder, ready: { http: '/up', withinMs: 5_000 }, ...own },
    },
    stores: [],
  };
}

function descendants(pid: number, table = processes()): number[] {
  const children = table.filter(({ parent }) => parent === pid);
  return children.flatMap(child => [child.pid, ...descendants(child.pid, table)]);
}

describe('the user’s own app', () => {
  it('is started by a shell with its environment, and killed, restarted and ended with all its children', () =>
    leavingNothing(() =>
      withCluster(spec({}), async cluster => {
        const member = cluster.member('backend-1');
        const said = Object(await (await fetch(`${cluster.proxyUrl}/who`)).json());
        expect(said).to.deep.equal({ WHO: `backend-1 at ${member.port}`, STORE: '<>', folder: realpathSync(folder) });
        const first = descendants(member.pid ?? 0);
        expect(first).to.have.length(2);

        member.signal('SIGSTOP');
        expect(await member.answers(200)).to.equal(false);
        member.signal('SIGCONT');
        expect(await member.answers(2_000)).to.equal(true);

        member.signal('SIGKILL');
        expect(await member.waitExit(2_000)).to.deep.equal({ code: null, signal: 'SIGKILL' });
        expect(await portRefuses(member.port)).to.equal(true);
        expect(first.filter(isRunning)).to.deep.equal([]);
        await member.start();
        expect(await member.answers(2_000)).to.equal(true);
      }),
    ));

  it('has a new folder for each run, which all backends share and the end of the lab removes', () =>
    leavingNothing(async () => {
      const command = `echo {name} >> {run-dir}/log; ${node} ${server}`;
      const own = spec({ command });
      const two: ClusterSpec = { ...own, backends: { ...own.backends, count: 2, env: { WHO: '{run-dir}' } } };
      const folders: string[] = [];
      for (let run = 1; run <= 2; run += 1)
        await withCluster(two, async cluster => {
          const { WHO } = Object(await (await fetch(`${cluster.proxyUrl}/who`)).json());
          const log = await readFile(path.join(WHO, 'log'), 'utf8');
          expect(log.trim().split('\n').toSorted()).to.deep.equal(['backend-1', 'backend-2']);
          folders.push(WHO);
        });
      expect(new Set(folders).size).to.equal(2);
    }));

  it('is reported with the status of its readiness path when it is not ready', () =>
    leavingNothing(async () => {
      const ready = { http: '/', withinMs: 700 };
      const { backends, ...rest } = spec({ ready });
      const env = { ...backends.env, DB: 'x://me:pa:s@h', API_KEY: 'abc' };
      const secret: ClusterSpec = { ...rest, backends: { ...backends, env } };
      const error = await withCluster(secret, async () => undefined).catch(reason => reason);
      expect(error).to.be.instanceOf(LabError);
      expect(error.message).to.match(
        /backend-1 is not ready: GET \/ answered 302, expected 200 to 299 \(system.backends.ready.http\) within 0.7 s of its start/,
      );
      expect(error.message).to.include('| started backend-1');
      expect(error.message).to.include('answer GET / (system.backends.ready.http) with a status from 200 to 299');
      expect(error.message, 'the variables, without passwords').to.match(
        /try: cd \S+ && PORT=\d+ BACKEND_VERSION=A WHO='backend-1 at \d+' STORE='<>' DB='x:\/\/me:\*\*\*@h' API_KEY='\*\*\*' echo started/,
      );

      const lost = await withCluster(spec({ directory: `${folder}/lost` }), async () => undefined).catch(
        reason => reason,
      );
      expect(lost).to.be.instanceOf(LabError);
      expect(lost.message).to.include('lost" is not a folder').and.include('system.backends.directory');
    }));
});

describe('the placeholders of the user’s own app', () => {
  const place = { name: 'backend-1', port: 4000, runDirectory: '/tmp/run', store: undefined } as const;

  for (const [text, storeUrls, filled] of [
    ['{name}:{port} {run-dir}', {}, 'backend-1:4000 /tmp/run'],
    ['{redis.host} {redis.port}', { redis: 'redis://127.0.0.1:23456' }, '127.0.0.1 23456'],
    ['{redis.host} {redis.port}', { redis: 'rediss://u:p%40@[::1]/3' }, '::1 6379'],
    ['{redis.host} {redis.port}', { redis: 'redis+sentinel://a:1,b:2/main' }, 'a 1'],
    ['{memcached.host} {memcached.port}', { memcached: 'memcached://a:1,b:2' }, 'a 1'],
    [
      '{postgres.user} {postgres.password} {postgres.host} {postgres.port} {postgres.database}',
      { postgres: 'postgresql://me:s%3Acret@127.0.0.1:5433/shop?sslmode=disable' },
      'me s:cret 127.0.0.1 5433 shop',
    ],
    ['<{redis.host}{postgres.port}{store}>', {}, '<>'],
  ] as const)
    it(`fills in ${text} from ${JSON.stringify(storeUrls)}`, () =>
      expect(fillPlaceholders(text, placeholderValues({ ...place, storeUrls }))).to.equal(filled));
});

describe('exec', () => {
  const running: ClusterSpec = {
    mode: 'redis',
    target: 'http://127.0.0.1:9',
    backends: { count: 1, env: {} },
    stores: [],
  };

  it('injects, confirms and heals with commands, in a system that the lab did not start', () =>
    leavingNothing(() =>
      withCluster(running, async cluster => {
        expect(cluster.members).to.deep.equal([]);
        const mark = path.join(process.env.TMPDIR ?? '', 'mark');
        const fault = exec.make('system', {
          inject: `(sleep 0.1; echo broken > ${mark}) &`,
          confirm: `cat ${mark}`,
          heal: `rm ${mark}`,
        });
        await fault.inject(cluster);
        expect(await fault.confirm(cluster)).to.equal('broken');
        await fault.heal(cluster);
        expect(await cluster.shell(`test -e ${mark}`, 1_000, new AbortController().signal)).to.include({ ok: false });
        await fault.heal(cluster); // once is enough: the file is gone, and rm would say so
      }),
    ));

  it('says whether "confirm" succeeds before "inject", and then does not heal', () =>
    leavingNothing(() =>
      withCluster(running, async cluster => {
        const heal = 'exit 9';
        for (const [confirm, expected] of [
          ['true', true],
          ['exit 1', false],
          ['sleep 60', false],
        ] as const) {
          const fault = exec.make('system', { inject: 'true', confirm, heal, within: '300ms' });
          expect(await fault.confirmedBefore?.(cluster), confirm).to.equal(expected);
          await fault.heal(cluster); // it would reject when it ran the command
        }
      }),
    ));

  it('says which command failed, how it ended and what it printed', () =>
    leavingNothing(() =>
      withCluster(running, async cluster => {
        const failing = exec.make('system', { inject: 'echo no such pod >&2; exit 3', confirm: 'true' });
        const message = (await failing.inject(cluster).catch((error: Error) => error))?.message;
        expect(message).to.equal('inject: "echo no such pod >&2; exit 3" ended with code 3, and said: no such pod');
        const endless = exec.make('system', { inject: 'true', confirm: 'sleep 60', within: '300ms' });
        await endless.inject(cluster);
        const late = await endless.confirm(cluster).catch((error: Error) => error.message);
        expect(late).to.match(/^confirm: "sleep 60" did not end within 0\.\d+ s/);
        const unseen = exec.make('system', { inject: 'true', confirm: 'exit 1', within: '500ms' });
        await unseen.inject(cluster);
        expect(await unseen.confirm(cluster).catch((error: Error) => error.message)).to.match(/ended with code 1$/);
      }),
    ));

  it('kills the running command when interrupted, heals, and leaves nothing in the background', () =>
    leavingNothing(() =>
      withCluster(running, async cluster => {
        const mark = path.join(process.env.TMPDIR ?? '', 'mended');
        const fault = exec.make('system', {
          inject: 'sleep 301 & sleep 302',
          confirm: 'true',
          heal: `echo yes > ${mark}`,
        });
        const before = descendants(process.pid);
        const injected = fault.inject(cluster).catch((error: Error) => error.message);
        const below = () => descendants(process.pid).filter(pid => !before.includes(pid) && isRunning(pid));
        expect(await waitUntil(async () => below().length >= 2, 2_000)).to.equal(true);
        await fault.heal(cluster);
        expect(await injected).to.include('ended by SIGKILL');
        expect(below()).to.deep.equal([]);
        const { said } = await cluster.shell(
          `cat ${mark}; rm ${mark}; sleep 303 &`,
          1_000,
          new AbortController().signal,
        );
        expect(said).to.equal('yes\n');

        const looking = exec.make('system', {
          inject: 'true',
          confirm: `echo look >> ${mark}; sleep 304`,
          within: '20s',
        });
        await looking.inject(cluster);
        const confirmed = looking.confirm(cluster);
        expect(await waitUntil(async () => below().length >= 2, 2_000)).to.equal(true);
        await looking.heal(cluster);
        expect(await confirmed, 'not tried again').to.equal(false);
        expect(await readFile(mark, 'utf8')).to.equal('look\n');
        await rm(mark);
      }),
    ));
});
