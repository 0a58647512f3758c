import { realpathSync } from 'node:fs';
import { readFile, rm } from 'node:fs/promises';
import path from 'node:path';
import { expect } from 'chai';
import type { OwnBackend } from '#src/simulator/cluster/own-backend.js';
import { eventually, portRefuses } from '#src/simulator/cluster/probe.js';
import type { ClusterSpec } from '#src/simulator/cluster/start-cluster.js';
import { LabError } from '#src/simulator/errors.js';
import { exec } from '#src/simulator/faults/exec.js';
import { isRunning, leavingNothing, processes, program, withCluster } from './processes.js';

const node = JSON.stringify(process.execPath);
const server = JSON.stringify(program('own-app'));
const folder = path.dirname(program('own-app'));

/** A shell that has the app as its child and another one of its own, as `npm start` has. */
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

describe('an app of one’s own', () => {
  it('is started by a shell with its environment filled in, and is struck, started again and ended with all below it', () =>
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

  it('that does not answer well where it says is explained', () =>
    leavingNothing(async () => {
      const ready = { http: '/', withinMs: 700 };
      const error = await withCluster(spec({ ready }), async () => undefined).catch(reason => reason);
      expect(error).to.be.instanceOf(LabError);
      expect(error.message).to.match(/backend-1 did not answer on port \d+ within 0.7 s of its start/);
      expect(error.message).to.include('| started backend-1');
      expect(error.message).to.include('answer GET / (system.backends.ready.http) with a status from 200 to 299');

      const lost = await withCluster(spec({ directory: `${folder}/lost` }), async () => undefined).catch(
        reason => reason,
      );
      expect(lost).to.be.instanceOf(LabError);
      expect(lost.message).to.include('lost" is no folder').and.include('system.backends.directory');
    }));
});

describe('exec', () => {
  const running: ClusterSpec = {
    mode: 'redis',
    target: 'http://127.0.0.1:9',
    backends: { count: 1, env: {} },
    stores: [],
  };

  it('breaks, sees and mends by commands, in a system that nobody started here', () =>
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

  it('says whether "confirm" succeeds before anything is broken, and mends nothing then', () =>
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

  it('says which command failed, how it ended and what it said', () =>
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

  it('interrupted in the middle, ends what it was doing, mends, and leaves nothing in the background', () =>
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
        expect(await eventually(async () => below().length >= 2, 2_000)).to.equal(true);
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
        expect(await eventually(async () => below().length >= 2, 2_000)).to.equal(true);
        await looking.heal(cluster);
        expect(await confirmed, 'not tried again').to.equal(false);
        expect(await readFile(mark, 'utf8')).to.equal('look\n');
        await rm(mark);
      }),
    ));
});
