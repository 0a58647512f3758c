import { mkdir, mkdtemp, readdir, readFile, readlink, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect } from 'chai';
import { RunFolder } from '#src/commands/lib/run-folder.js';
import type { JudgedRun } from '#src/simulator/checker/verdict/verdict.js';
import { readHistory } from '#src/simulator/history/file.js';
import { changed, sampleRun } from '../../report/sample-runs.js';

const plan = { scenario: 'kill-one', seed: 42, users: [], faults: [] };
const startedAt = new Date('2026-11-30T20:15:03.456Z');
const [sticky, redis] = (['sticky', 'redis'] as const).map(mode =>
  changed(sampleRun({ mode, users: 1 }), { run: { operations: [] } }),
) as [JudgedRun, JudgedRun];

async function withOut(work: (out: string) => Promise<void>): Promise<void> {
  const out = await mkdtemp(path.join(tmpdir(), 'holdfast-out-'));
  await work(out).finally(() => rm(out, { recursive: true, force: true }));
}

async function modesIn(file: string): Promise<string[]> {
  return (await readHistory(file)).map(({ header }) => header.mode);
}

describe('the folder of a run', () => {
  it('is named after scenario and time, and holds the plan from the start', () =>
    withOut(async out => {
      const folder = await RunFolder.create(out, plan, startedAt);
      expect(folder.path).to.equal(path.join(out, 'kill-one', '2026-11-30T20-15-03Z'));
      expect(JSON.parse(await readFile(path.join(folder.path, 'plan.json'), 'utf8'))).to.deep.equal({
        schema: 2,
        ...plan,
      });
    }));

  it('holds the history of each run as soon as the run has finished', () =>
    withOut(async out => {
      const folder = await RunFolder.create(out, plan, startedAt);
      const history = path.join(folder.path, 'history.ndjson');
      await folder.add({ judged: sticky });
      expect(await modesIn(history)).to.deep.equal(['sticky']);
      await folder.add({ judged: redis });
      expect(await modesIn(history)).to.deep.equal(['sticky', 'redis']);
    }));

  it('keeps both tries of a run that was tried twice', () =>
    withOut(async out => {
      const folder = await RunFolder.create(out, plan, startedAt);
      await folder.add({ judged: redis, other: { which: 'firstTry', judged: redis } });
      await folder.add({ judged: sticky, other: { which: 'secondTry', judged: sticky } });
      await folder.add({ judged: redis, other: { which: 'firstTry', judged: redis } });
      expect(await modesIn(path.join(folder.path, 'first-try-redis.ndjson'))).to.deep.equal(['redis', 'redis']);
      expect(await modesIn(path.join(folder.path, 'second-try-sticky.ndjson'))).to.deep.equal(['sticky']);
      expect(await modesIn(path.join(folder.path, 'history.ndjson'))).to.deep.equal(['redis', 'sticky', 'redis']);
    }));

  it('is unique even within one second, and "latest" leads to the newest', () =>
    withOut(async out => {
      const names = [];
      for (let number = 0; number < 3; number += 1) {
        const folder = await RunFolder.create(out, plan, startedAt);
        await folder.add({ judged: sticky });
        names.push(path.basename(folder.path));
        expect(await readlink(path.join(out, 'kill-one', 'latest'))).to.equal(names.at(-1));
      }
      expect(names).to.deep.equal(['2026-11-30T20-15-03Z', '2026-11-30T20-15-03Z-2', '2026-11-30T20-15-03Z-3']);
      expect(await readdir(path.join(out, 'kill-one'))).to.have.members([...names, 'latest']);
      expect(await modesIn(path.join(out, 'kill-one', 'latest', 'history.ndjson'))).to.deep.equal(['sticky']);
    }));

  it('is named in latest.txt when no link can be made', () =>
    withOut(async out => {
      await mkdir(path.join(out, 'kill-one', 'latest'), { recursive: true });
      await writeFile(path.join(out, 'kill-one', 'latest', 'mine'), '');
      const folder = await RunFolder.create(out, plan, startedAt);
      await folder.add({ judged: sticky });
      expect(await readFile(path.join(out, 'kill-one', 'latest.txt'), 'utf8')).to.equal('2026-11-30T20-15-03Z\n');
      expect(await readdir(path.join(out, 'kill-one'))).to.have.members([
        'latest',
        'latest.txt',
        '2026-11-30T20-15-03Z',
      ]);
    }));

  it('is removed when no run finished, and "latest" still leads to the previous one', () =>
    withOut(async out => {
      const stopped = await RunFolder.create(out, plan, startedAt);
      await stopped.removeIfEmpty();
      expect(await readdir(out)).to.deep.equal([]);
      const whole = await RunFolder.create(out, plan, startedAt);
      await whole.add({ judged: sticky });
      await whole.removeIfEmpty();
      const again = await RunFolder.create(out, plan, startedAt);
      await again.removeIfEmpty();
      expect(await readdir(path.join(out, 'kill-one'))).to.have.members(['latest', '2026-11-30T20-15-03Z']);
      expect(await readlink(path.join(out, 'kill-one', 'latest'))).to.equal('2026-11-30T20-15-03Z');
    }));

  it('holds the report of the finished runs', () =>
    withOut(async out => {
      const folder = await RunFolder.create(out, plan, startedAt);
      const report = await folder.writeReport([sticky], {});
      expect(report).to.equal(path.join(folder.path, 'report.html'));
      expect(await readFile(report, 'utf8')).to.include('kill-one');
    }));
});
