import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { chmod, mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { expect } from 'chai';
import { DirectoryAccounts, freshAccount, MemoryAccounts } from '#backends/accounts/accounts.js';
import { AccountsUnavailable } from '#backends/refusal.js';
import { expectRejection } from '../../sessions/expect-rejection.js';
import { accountsContract } from './accounts.contract.js';

describe('accounts', () => {
  const made: string[] = [];

  function freshDirectory(): string {
    const directory = mkdtempSync(path.join(tmpdir(), 'holdfast-accounts-'));
    made.push(directory);
    return directory;
  }

  after(() => {
    for (const directory of made) rmSync(directory, { recursive: true, force: true });
  });

  describe('in memory', () => accountsContract(() => new MemoryAccounts()));

  describe('in a directory', () => {
    accountsContract(() => new DirectoryAccounts(freshDirectory()));

    it('loses no save of two processes, and shows no reader half an account', async () => {
      const root = freshDirectory();
      const eachSaves = 60;
      const program = path.join(import.meta.dirname, 'programs/saver.js');
      const racing = [1, 2].map(() => spawn(process.execPath, [program, root, 'anna', String(eachSaves)]));
      const ends = racing.map(child => once(child, 'exit'));
      const reader = new DirectoryAccounts(root);
      const seen: number[] = [];
      const over = Promise.all(ends).then(() => true);
      while (!(await Promise.race([over, reader.read('anna').then(({ version }) => void seen.push(version))])));
      expect((await Promise.all(ends)).map(([code]) => code)).to.deep.equal([0, 0]);
      expect(seen).to.deep.equal(seen.toSorted((one, other) => one - other));
      expect(await reader.read('anna')).to.include({ version: 2 * eachSaves, epoch: 2 * eachSaves });
    });

    it('saves exactly once when a process stands still between its steps', async () => {
      const root = freshDirectory();
      const saves = { halting: 20, steady: 1_200 };
      const program = path.join(import.meta.dirname, 'programs/saver.js');
      const start = (count: number) => spawn(process.execPath, [program, root, 'anna', String(count)]);
      const [halting, steady] = [start(saves.halting), start(saves.steady)];
      const ends = Promise.all([halting, steady].map(child => once(child, 'exit')));
      const over = ends.then(() => true);
      // The other process makes more versions than are kept while this one stands still.
      while (!(await Promise.race([over, setTimeout(4, false)]))) {
        halting.kill('SIGSTOP');
        await setTimeout(30);
        halting.kill('SIGCONT');
      }
      expect((await ends).map(([code]) => code)).to.deep.equal([0, 0]);
      const made = saves.halting + saves.steady;
      expect(await new DirectoryAccounts(root).read('anna')).to.include({ version: made, epoch: made });
    });

    it('removes old versions and drafts, with files readable only by their owner', async () => {
      const root = freshDirectory();
      const accounts = new DirectoryAccounts(path.join(root, 'deep/er'));
      const folder = path.join(root, 'deep/er/anna');
      await mkdir(folder, { recursive: true });
      await writeFile(path.join(folder, '2.0123456789abcdef'), '{"half');
      for (let version = 1; version <= 12; version++) await accounts.save('anna', { ...freshAccount, version });
      expect((await readdir(folder)).sort()).to.deep.equal(['10', '11', '12', '5', '6', '7', '8', '9']);
      expect((await stat(path.join(folder, '12'))).mode & 0o777).to.equal(0o600);
    });

    for (const [what, text] of [
      ['is cut off', '{"version":1'],
      ['lacks a field', JSON.stringify({ ...freshAccount, version: 1, password: undefined })],
      ['has a field of another type', JSON.stringify({ ...freshAccount, version: 1, disabled: 'no' })],
    ] as const) {
      it(`rejects an account that ${what}, instead of letting anyone in`, async () => {
        const root = freshDirectory();
        await mkdir(path.join(root, 'anna'));
        await writeFile(path.join(root, 'anna/1'), text);
        const accounts = new DirectoryAccounts(root);
        await silently(() => expectRejection(accounts.read('anna'), AccountsUnavailable));
        expect(await readFile(path.join(root, 'anna/1'), 'utf8')).to.equal(text);
      });
    }

    it('rejects while the directory is unusable, and works again afterwards', async () => {
      const root = freshDirectory();
      const accounts = new DirectoryAccounts(root);
      await writeFile(path.join(root, 'anna'), 'a file where the folder should be');
      await silently(() => expectRejection(accounts.read('anna'), AccountsUnavailable));
      await silently(() =>
        expectRejection(accounts.save('anna', { ...freshAccount, version: 1 }), AccountsUnavailable),
      );
      rmSync(path.join(root, 'anna'));
      expect(await accounts.save('anna', { ...freshAccount, version: 1 })).to.equal('saved');
    });

    it('throws at once if the directory cannot be made', async () => {
      const root = freshDirectory();
      await writeFile(path.join(root, 'file'), '');
      await chmod(path.join(root, 'file'), 0o600);
      expect(() => new DirectoryAccounts(path.join(root, 'file/below'))).to.throw(/ENOTDIR/);
    });
  });
});

/** Hides stderr: its messages are for an operator of the shop, not for readers of test output. */
async function silently(work: () => Promise<unknown>): Promise<void> {
  const { error } = console;
  console.error = () => undefined;
  try {
    await work();
  } finally {
    console.error = error;
  }
}
