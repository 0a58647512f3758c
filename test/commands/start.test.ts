import { execFileSync } from 'node:child_process';
import { copyFile, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect } from 'chai';
import { readHistory } from '#src/simulator/history/file.js';
import { type Holdfast, root, withHoldfast } from './holdfast.js';
import { short } from './ran.js';

const kill = '\n  - { id: kill, at: 100ms, do: kill, target: backend-2, for: 500ms }';
/** A kill-one that needs a third of the CPU time. */
const shortKillOne = short('', kill, '    - writes.phantom == 0')
  .replace('name: short', 'name: kill-one')
  .replace('[sticky, redis]', '[sticky, redis, memcached]');

/** Copies what the command needs of the package, with the short kill-one. */
async function withShortKillOne(use: (packageRoot: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(path.join(tmpdir(), 'holdfast-start-'));
  try {
    await mkdir(path.join(folder, 'dist'));
    const parts = ['cli.js', 'packed', 'backends', 'report', 'simulator'].map(name => path.join(root, 'dist', name));
    execFileSync('cp', ['-R', ...parts, path.join(folder, 'dist')]);
    await copyFile(path.join(root, 'package.json'), path.join(folder, 'package.json'));
    await symlink(path.join(root, 'node_modules'), path.join(folder, 'node_modules'));
    await mkdir(path.join(folder, 'scenarios'));
    await writeFile(path.join(folder, 'scenarios/kill-one.yaml'), shortKillOne);
    await use(folder);
  } finally {
    await rm(folder, { recursive: true });
  }
}

describe('holdfast start', function () {
  this.timeout(90_000);

  it('compares sticky and redis when both have run, and keeps them when it is stopped in the next mode', () =>
    withShortKillOne(packageRoot => withHoldfast(['start'], seeFirstLook, {}, undefined, packageRoot)));
});

async function seeFirstLook(holdfast: Holdfast): Promise<void> {
  await holdfast.sees('│ verdict', 60_000);
  expect(holdfast.output.stdout).to.match(/│ +sticky │ +redis │/);
  expect(holdfast.output.stderr).not.to.include('kill-one/memcached: warmup');
  await holdfast.sees('kill-one/memcached: starting', 20_000);
  holdfast.child.kill('SIGINT');
  expect(await holdfast.ended(), holdfast.output.stderr).to.equal(130);
  const [, report = ''] = /^report: (reports\/kill-one\/\S+\/report\.html)$/m.exec(holdfast.output.stdout) ?? [];
  expect(await readFile(path.join(holdfast.folder, report), 'utf8')).to.include('redis');
  const records = await readHistory(path.join(holdfast.folder, 'reports/kill-one/latest/history.ndjson'));
  expect(records.map(({ header }) => header.mode)).to.deep.equal(['sticky', 'redis']);
  expect(await holdfast.children()).to.deep.equal([]);
  expect(await holdfast.temporaryFiles()).to.deep.equal([]);
}
