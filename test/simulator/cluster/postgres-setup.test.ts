import { randomBytes } from 'node:crypto';
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { chown } from 'node:fs/promises';
import path from 'node:path';
import { expect } from 'chai';
import { waitUntil } from '#src/simulator/cluster/probe.js';
import { findTemporaryBase, runProgram } from '#src/simulator/cluster/processes/run-program.js';
import { findPrograms, makeEmptyDatabase, userForPostgres } from '#src/simulator/cluster/stores/postgres/setup.js';

type Run = typeof runGuarded;

interface Made {
  readonly data: string;
  /** Names of the programs that ran. */
  readonly ran: readonly string[];
}

interface Bench {
  /** The folder of the archive. */
  readonly folder: string;
  make(how?: { readonly settings?: Record<string, string>; readonly run?: Run }): Promise<Made>;
}

/** Runs a test that creates databases in a temporary folder. */
async function withBench(use: (bench: Bench) => Promise<void>): Promise<void> {
  const base = mkdtempSync(path.join(findTemporaryBase(), 'holdfast-empty-'));
  chmodSync(base, 0o711);
  const folder = path.join(base, 'kept/here');
  const make: Bench['make'] = async ({ settings = {}, run = runWithoutInitdb } = {}) => {
    const directory = mkdtempSync(path.join(base, 'database-'));
    const user = userForPostgres();
    const programs = await findPrograms(user, directory);
    if (user !== undefined) await chown(directory, user.uid, user.gid);
    const ran: string[] = [];
    const noted: Run = program => {
      ran.push(path.basename(program.command));
      return run(program);
    };
    await makeEmptyDatabase({ programs, version: '18', directory, user, settings, run: noted }, folder);
    expect(readdirSync(directory).filter(name => name !== 'programs')).to.deep.equal(['data']);
    return { data: path.join(directory, 'data'), ran };
  };
  try {
    await use({ folder, make });
  } finally {
    rmSync(base, { recursive: true, force: true });
  }
}

function runGuarded(program: Parameters<typeof runProgram>[0]): Promise<void> {
  return runProgram(program, new AbortController().signal);
}

/** Replaces the programs of PostgreSQL, which take a second: most tests do not need their result. */
async function runWithoutInitdb(program: Parameters<typeof runProgram>[0]): Promise<void> {
  if (path.basename(program.command) === 'postgres') return;
  if (path.basename(program.command) !== 'initdb') return runGuarded(program);
  mkdirSync(path.join(program.directory, 'data'), { mode: 0o700 });
  writeFileSync(path.join(program.directory, 'data/PG_VERSION'), randomBytes(100_000));
}

/** Returns owner, mode and content of each file and folder. */
function listContents(data: string): string[] {
  const names = ['.', ...readdirSync(data, { recursive: true, encoding: 'utf8' })].sort();
  return names.map(name => {
    const [file, { mode, uid, gid }] = [path.join(data, name), lstatSync(path.join(data, name))];
    const inside = lstatSync(file).isFile() ? readFileSync(file, 'latin1') : '';
    return `${name} ${mode.toString(8)} ${uid}:${gid} ${inside}`;
  });
}

function archiveIn(folder: string): string {
  const [name = '', ...others] = readdirSync(folder);
  expect(others).to.deep.equal([]);
  return path.join(folder, name);
}

const createdAnew = ['initdb', 'postgres', 'tar'];

/** Runs a test with an existing archive. */
function withArchive(use: (bench: Bench, archive: string) => Promise<void>): Promise<void> {
  return withBench(async bench => {
    await bench.make();
    await use(bench, archiveIn(bench.folder));
  });
}

describe('an empty PostgreSQL database', () => {
  it('is created once, and then unpacked with the same files, owners and modes', () =>
    withBench(async ({ folder, make }) => {
      const first = await make({ run: runGuarded });
      expect(first.ran).to.deep.equal(createdAnew);
      expect(statSync(archiveIn(folder)).mode & 0o777).to.equal(0o600);
      const second = await make();
      expect(second.ran).to.deep.equal(['tar']);
      expect(statSync(second.data).mode & 0o777).to.equal(0o700);
      const [made, unpacked] = [listContents(first.data), listContents(second.data)];
      expect(made.length).to.be.within(300, 500);
      // `deep.equal` would print everything.
      expect(unpacked.filter((line, index) => line !== made[index]).map(line => line.slice(0, 80))).to.deep.equal([]);
      expect(unpacked.length).to.equal(made.length);
    }));

  it('has another archive for other settings', () =>
    withArchive(async ({ folder, make }) => {
      expect((await make({ settings: { max_connections: '33' } })).ran).to.deep.equal(createdAnew);
      expect(readdirSync(folder)).to.have.length(2);
    }));

  for (const [what, damage, ran] of [
    ['is damaged', archive => truncateSync(archive, 50_000), ['tar', ...createdAnew]],
    ['is no archive', archive => writeFileSync(archive, 'x'.repeat(4096)), ['tar', ...createdAnew]],
    ['other users may write', archive => chmodSync(archive, 0o620), createdAnew],
    [
      'is a symbolic link',
      archive => {
        const elsewhere = path.join(archive, '../../elsewhere');
        renameSync(archive, elsewhere);
        symlinkSync(elsewhere, archive);
      },
      createdAnew,
    ],
  ] as [string, (archive: string) => void, string[]][]) {
    it(`is not unpacked from an archive that ${what}, which is replaced`, () =>
      withArchive(async ({ make }, archive) => {
        expect((await make()).ran).to.deep.equal(['tar']);
        damage(archive);
        const then = await make();
        expect(then.ran).to.deep.equal(ran);
        expect(statSync(path.join(then.data, 'PG_VERSION')).size).to.equal(100_000);
        expect((await make()).ran).to.deep.equal(['tar']);
      }));
  }

  it('is not unpacked from an archive of another user', function () {
    if (process.getuid?.() !== 0) return this.skip(); // Only root can change the owner of a file.
    return withArchive(async ({ make }, archive) => {
      await chown(archive, 12345, 12345);
      expect((await make()).ran).to.deep.equal(createdAnew);
    });
  });

  it('is created when no archive can be stored', () =>
    withBench(async ({ folder, make }) => {
      writeFileSync(path.dirname(folder), 'a file where the folder should be');
      for (let time = 0; time < 2; time++) expect((await make()).ran).to.deep.equal(createdAnew);
    }));

  it('is created when there is no tar', () =>
    withBench(async ({ folder, make }) => {
      const run: Run = program =>
        runWithoutInitdb({ ...program, command: program.command.replace(/^tar$/, '/no/tar') });
      for (let time = 0; time < 2; time++) expect((await make({ run })).ran).to.deep.equal(createdAnew);
      expect(existsSync(folder)).to.equal(false);
    }));

  it('leaves one archive and nothing else when several are created at once', () =>
    withBench(async ({ folder, make }) => {
      let begun = 0;
      // None goes on before each has begun: otherwise the last could find the archive of the first.
      const run: Run = async program => {
        if (path.basename(program.command) === 'initdb') begun += 1;
        await waitUntil(async () => begun === 3, 10_000);
        return runWithoutInitdb(program);
      };
      const all = await Promise.all([make({ run }), make({ run }), make({ run })]);
      expect(all.map(({ ran }) => ran)).to.deep.equal([createdAnew, createdAnew, createdAnew]);
      expect(archiveIn(folder)).to.match(/\.tar$/);
      expect((await make()).ran).to.deep.equal(['tar']);
    }));

  it('is created beside the unfinished archive of a killed process, and removes it when it is old', () =>
    withArchive(async ({ folder, make }, archive) => {
      rmSync(archive);
      const [old, young] = [`${archive}.old`, `${archive}.young`];
      for (const file of [old, young]) writeFileSync(file, 'half');
      const anHourAgo = Date.now() / 1000 - 3600;
      utimesSync(old, anHourAgo, anHourAgo);
      expect((await make()).ran).to.deep.equal(createdAnew);
      expect(readdirSync(folder).sort()).to.deep.equal([archive, young].map(file => path.basename(file)));
    }));
});
