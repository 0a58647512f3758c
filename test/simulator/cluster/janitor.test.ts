import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, rmSync } from 'node:fs';
import { expect } from 'chai';
import { waitUntil } from '#src/simulator/cluster/probe.js';
import { isRunning, processes, program, sharedSegmentsOf, temporaryFolder } from '../processes.js';

interface Held {
  readonly holder: ChildProcess;
  /** The processes of the members, and that of the janitor. */
  readonly pids: readonly number[];
  readonly members: readonly number[];
  readonly folder: string;
}

/** Process that runs a cluster. It has its own process group and temporary folder. */
async function withHolder(use: (held: Held) => Promise<void>, mode = 'redis'): Promise<void> {
  const folder = temporaryFolder();
  const holder = spawn(process.execPath, [program('cluster-holder'), mode], {
    detached: true,
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, TMPDIR: folder },
  });
  try {
    const [line] = await once(holder.stdout, 'data');
    const children = processes().filter(({ parent }) => parent === holder.pid);
    const pids = children.map(({ pid }) => pid);
    const members = JSON.parse(String(line)).map(({ pid }: { pid: number }) => pid);
    expect(pids).to.include.members(members);
    await use({ holder, pids, members, folder });
  } finally {
    holder.kill('SIGKILL');
    rmSync(folder, { recursive: true, force: true });
  }
}

describe('cluster: when the command dies', () => {
  it('leaves nothing after kill -9, although a backend was stopped by SIGSTOP', () =>
    withHolder(async ({ holder, pids, folder }) => {
      expect(pids).to.have.length(3); // redis, a backend, the janitor
      expect(readdirSync(folder)).to.have.length(1);
      holder.kill('SIGKILL');
      expect(await waitUntil(async () => !pids.some(isRunning), 5_000), 'processes left').to.equal(true);
      expect(readdirSync(folder)).to.deep.equal([]);
    }));

  it("keeps all processes after a terminal's Ctrl-C until the command decides", () =>
    withHolder(async ({ holder, pids }) => {
      process.kill(-Number(holder.pid), 'SIGINT');
      process.kill(-Number(holder.pid), 'SIGHUP');
      await once(holder, 'exit'); // of SIGHUP, which it does not handle
      expect(await waitUntil(async () => !pids.some(isRunning), 5_000), 'processes left').to.equal(true);
    }));

  it('leaves nothing immediately after killNow', () =>
    withHolder(async ({ holder, pids, members, folder }) => {
      holder.kill('SIGUSR2');
      const [code] = await once(holder, 'exit');
      expect(code).to.equal(130);
      expect(readdirSync(folder)).to.deep.equal([]);
      expect(await waitUntil(async () => !members.some(isRunning), 1_000), 'members left').to.equal(true);
      expect(await waitUntil(async () => !pids.some(isRunning), 5_000), 'processes left').to.equal(true);
    }));

  for (const [what, signal] of [
    ['kill -9', 'SIGKILL'],
    ['killNow', 'SIGUSR2'],
  ] as const) {
    it(`leaves nothing of a PostgreSQL that is stopped with all its children, after ${what}`, () =>
      withHolder(async ({ holder, pids, folder }) => {
        const all = processes();
        const family = [...pids, ...all.filter(({ parent }) => pids.includes(parent)).map(({ pid }) => pid)];
        expect(family.length).to.be.greaterThan(6); // a backend, the janitor, PostgreSQL and at least four children
        const gone = once(holder, 'exit');
        holder.kill(signal);
        await gone;
        const noneRuns = async () => !processes().some(({ pid }) => family.includes(pid));
        expect(await waitUntil(noneRuns, 5_000), 'processes left').to.equal(true);
        expect(readdirSync(folder)).to.deep.equal([]);
        expect(pids.flatMap(sharedSegmentsOf)).to.deep.equal([]);
      }, 'postgres'));
  }
});
