import { exec } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { expect } from 'chai';
import { readHistory, writeHistory } from '#src/simulator/history/file.js';
import type { ListedRun, Operation } from '#src/simulator/history/records.js';
import { sampleRun } from '../report/sample-runs.js';
import { withHoldfast } from './holdfast.js';
import { commandLine, type Said } from './in-process.js';

/** Writes a history. In sticky every read showed an empty cart; in redis there was no read. */
async function recorded(folder: string): Promise<string> {
  const records = (['sticky', 'redis'] as const).map((mode): ListedRun => {
    const { run } = sampleRun({ mode });
    const header = { ...run.header, expectations: ['writes.lost == 0'] };
    return {
      ...run,
      header,
      operations: mode === 'sticky' ? emptied([...run.operations]) : unseen([...run.operations]),
    };
  });
  const file = path.join(folder, 'history.ndjson');
  await writeHistory(file, records);
  return file;
}

/** Makes every read empty. Each story ends with a read, so that no write stays unverified. */
function emptied(operations: readonly Operation[]): Operation[] {
  const looks = operations.filter(({ kind, outcome }) => kind === 'read' && outcome === 'ok');
  const lastLook = new Map(looks.map(({ user, sentMs }) => [user, sentMs]));
  return operations
    .filter(({ kind, user, doneMs }) => kind !== 'add' || doneMs < (lastLook.get(user) ?? 0))
    .map(each => (each.kind === 'read' && each.outcome === 'ok' ? { ...each, items: [] } : each));
}

function unseen(operations: readonly Operation[]): Operation[] {
  return operations.filter(({ kind }) => kind !== 'read');
}

async function withFolder(work: (folder: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(path.join(tmpdir(), 'holdfast-report-'));
  await work(folder).finally(() => rm(folder, { recursive: true, force: true }));
}

/** Runs `holdfast report` on that history, outside GitHub Actions unless `env` says otherwise. */
function reported(args: readonly string[], env: NodeJS.ProcessEnv, look: (said: Said) => Promise<void>) {
  const elsewhere = { GITHUB_ACTIONS: '', GITHUB_STEP_SUMMARY: '' };
  return withFolder(async folder =>
    look(await commandLine(['report', await recorded(folder), ...args], { ...elsewhere, ...env })),
  );
}

describe('holdfast report of a folder', () => {
  it('judges the history in it', () =>
    withFolder(async folder => {
      await recorded(folder);
      await withHoldfast(['report', folder], async holdfast => {
        expect(await holdfast.ended(), holdfast.output.stderr).to.equal(1);
        expect(holdfast.output.stdout).to.match(/^kill-one, seed 42/);
      });
    }));

  it('exits with 3 for the folder of all runs of a scenario, and names the newest run', () =>
    withFolder(async folder => {
      await mkdir(path.join(folder, 'latest'));
      const { code, stderr } = await commandLine(['report', folder]);
      expect(code).to.equal(3);
      expect(stderr).to.include(`such as ${path.join(folder, 'latest')}.`);
    }));

  it('exits with 3 for a folder without a history, and says which folder is expected', () =>
    withFolder(async folder => {
      const { code, stderr } = await commandLine(['report', folder]);
      expect(code).to.equal(3);
      expect(stderr).to.include('holds no history.ndjson').and.include('reports/kill-one/latest');
    }));
});

describe('holdfast report of repeats', () => {
  it('summarizes the runs of a mode, and fails when one run fails', () =>
    withFolder(async folder => {
      const file = path.join(folder, 'history.ndjson');
      const [sticky] = await readHistory(await recorded(folder));
      if (sticky === undefined) throw new Error('nothing was recorded');
      const lossless = { ...sticky, header: { ...sticky.header, expectations: ['users.identitySwapped == 0'] } };
      await writeHistory(file, [...Array.from({ length: 6 }, () => lossless), sticky]);
      const out = path.join(folder, 'out.json');
      const { code, stdout, stderr } = await commandLine(['report', file, '--json', out]);
      expect(code, stderr).to.equal(1);
      expect(stdout)
        .to.match(/^sticky, 7 runs: .*1 fail/m)
        .and.match(/^7 of 7 runs lost something: above 65 % \(95 %\)$/m)
        .and.match(/│ writes\.lost == 0 +│ +0 of 1 │/)
        .and.match(/^sticky: run 7 of 7 is the first that failed$/m)
        .and.match(/^sticky: 1 of 7 runs failed, and one counterexample is enough\.$/m)
        .and.not.include('sticky #2');
      const { intervals } = JSON.parse(await readFile(out, 'utf8'));
      expect(intervals).to.have.length(1);
      expect(intervals[0].lost).to.include({ times: 7, of: 7, high: 1 });
    }));
});

describe('holdfast report, in CI', () => {
  it('writes JUnit XML, and no GitHub commands outside GitHub', () =>
    withFolder(folder => {
      const file = path.join(folder, 'junit.xml');
      return reported(['--junit', file], {}, async ({ code, stdout, stderr }) => {
        expect(code, stderr).to.equal(1);
        const xml = await readFile(file, 'utf8');
        expect(xml).to.match(/<testsuite name="kill-one sticky" tests="2" failures="2" errors="0"/);
        expect(xml).to.match(/<testsuite name="kill-one redis" tests="2" failures="0" errors="1" skipped="1"/);
        expect(stdout).not.to.contain('::error');
      });
    }));

  it('appends to /dev/stdout after the printed report, even if stdout is a file', () =>
    withFolder(async folder => {
      const [history, out] = [await recorded(folder), path.join(folder, 'out.txt')];
      const cli = path.resolve(import.meta.dirname, '../../cli.js');
      await promisify(exec)(`"${process.execPath}" "${cli}" report "${history}" --json /dev/stdout > "${out}"`).catch(
        ({ code }) => expect(code).to.equal(1),
      );
      const [table, json] = (await readFile(out, 'utf8')).split(/^(?=\{$)/m);
      expect(table).to.match(/^kill-one, seed/);
      expect(JSON.parse(json ?? '')).to.include({ schema: 1 });
    }));

  it('writes annotations and the step summary on GitHub', () =>
    withFolder(async folder => {
      const summary = path.join(folder, 'summary.md');
      await writeFile(summary, 'before\n');
      await reported([], { GITHUB_ACTIONS: 'true', GITHUB_STEP_SUMMARY: summary }, async ({ code, stdout, stderr }) => {
        expect(code, stderr).to.equal(1);
        expect(stdout.match(/^::error title=kill-one%2C sticky%3A fail::.*$/gm)).to.have.length(1);
        expect(stdout.match(/^::warning .*$/gm)).to.have.length(1);
        const text = await readFile(summary, 'utf8');
        expect(text).to.match(/^before\n### kill-one, seed 42\n[\s\S]*\| verdict \| fail \| inconclusive \|/);
      });
    }));

  it('keeps its verdict when the step summary cannot be written', () =>
    reported(
      [],
      { GITHUB_ACTIONS: 'true', GITHUB_STEP_SUMMARY: '/no/such/folder/summary.md' },
      async ({ code, stdout, stderr }) => {
        expect(code, stdout).to.equal(1);
        expect(stderr).to.contain('GITHUB_STEP_SUMMARY cannot be written');
      },
    ));
});
