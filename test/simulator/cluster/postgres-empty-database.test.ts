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
import { runProgram, temporaryBase } from '#src/simulator/cluster/processes/run-program.js';
import { makeEmptyDatabase } from '#src/simulator/cluster/stores/postgres/empty-database.js';
import { findPrograms, userForPostgres } from '#src/simulator/cluster/stores/postgres/programs.js';

type Run = typeof runGuarded;

interface Made {
  readonly data: string;
  /** The programs that were run for it. */
  readonly ran: readonly string[];
}

interface Bench {
  /** Where the archive is kept. */
  readonly folder: string;
  make(how?: { readonly settings?: Record<string, string>; readonly run?: Run }): Promise<Made>;
}

/** Makes databases in a folder that is gone afterwards. */
async function withBench(use: (bench: Bench) => Promise<void>): Promise<void> {
  const base = mkdtempSync(path.join(temporaryBase(), 'holdfast-empty-'));
  chmodSync(base, 0o711);
  const folder = path.join(base, 'kept/here');
  const make: Bench['make'] = async ({ settings = {}, run = quickly } = {}) => {
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

/** What `initdb` makes is of no interest to most tests, and takes it a second. */
async function quickly(program: Parameters<typeof runProgram>[0]): Promise<void> {
  if (path.basename(program.command) !== 'initdb') return runGuarded(program);
  mkdirSync(path.join(program.directory, 'data'), { mode: 0o700 });
  writeFileSync(path.join(program.directory, 'data/PG_VERSION'), randomBytes(100_000));
}

/** Each file and folder: whose it is, who may do what with it, what is in it. */
function contents(data: string): string[] {
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

const anew = ['initdb', 'tar'];

/** A bench that has an archive already. */
function withArchive(use: (bench: Bench, archive: string) => Promise<void>): Promise<void> {
  return withBench(async bench => {
    await bench.make();
    await use(bench, archiveIn(bench.folder));
  });
}

describe('an empty PostgreSQL database', () => {
  it('is made once, and is then unpacked: the same files, of the same user, behind the same modes', () =>
    withBench(async ({ folder, make }) => {
      const first = await make({ run: runGuarded });
      expect(first.ran).to.deep.equal(anew);
      expect(statSync(archiveIn(folder)).mode & 0o777).to.equal(0o600);
      const second = await make();
      expect(second.ran).to.deep.equal(['tar']);
      expect(statSync(second.data).mode & 0o777).to.equal(0o700);
      const [made, unpacked] = [contents(first.data), contents(second.data)];
      expect(made.length).to.be.greaterThan(900);
      // Not `deep.equal`: it would print all of it.
      expect(unpacked.filter((line, index) => line !== made[index]).map(line => line.slice(0, 80))).to.deep.equal([]);
      expect(unpacked.length).to.equal(made.length);
    }));

  it('with other settings is another one', () =>
    withArchive(async ({ folder, make }) => {
      expect((await make({ settings: { max_connections: '33' } })).ran).to.deep.equal(anew);
      expect(readdirSync(folder)).to.have.length(2);
    }));

  for (const [what, spoil, ran] of [
    ['is damaged', archive => truncateSync(archive, 50_000), ['tar', ...anew]],
    ['is no archive', archive => writeFileSync(archive, 'x'.repeat(4096)), ['tar', ...anew]],
    ['others may write', archive => chmodSync(archive, 0o620), anew],
    [
      'is a link to elsewhere',
      archive => {
        const elsewhere = path.join(archive, '../../elsewhere');
        renameSync(archive, elsewhere);
        symlinkSync(elsewhere, archive);
      },
      anew,
    ],
  ] as [string, (archive: string) => void, string[]][]) {
    it(`does not come from an archive that ${what}: that is replaced`, () =>
      withArchive(async ({ make }, archive) => {
        expect((await make()).ran).to.deep.equal(['tar']);
        spoil(archive);
        const then = await make();
        expect(then.ran).to.deep.equal(ran);
        expect(statSync(path.join(then.data, 'PG_VERSION')).size).to.equal(100_000);
        expect((await make()).ran).to.deep.equal(['tar']);
      }));
  }

  it('does not come from an archive that somebody else has made', function () {
    if (process.getuid?.() !== 0) return this.skip(); // Nobody else can give a file away.
    return withArchive(async ({ make }, archive) => {
      await chown(archive, 12345, 12345);
      expect((await make()).ran).to.deep.equal(anew);
    });
  });

  it('is made all the same where no archive can be kept', () =>
    withBench(async ({ folder, make }) => {
      writeFileSync(path.dirname(folder), 'a file where the folder should be');
      for (let time = 0; time < 2; time++) expect((await make()).ran).to.deep.equal(anew);
    }));

  it('is made all the same where there is no tar', () =>
    withBench(async ({ folder, make }) => {
      const run: Run = program => quickly({ ...program, command: program.command.replace(/^tar$/, '/no/tar') });
      for (let time = 0; time < 2; time++) expect((await make({ run })).ran).to.deep.equal(anew);
      expect(existsSync(folder)).to.equal(false);
    }));

  it('can be made by several at once: one archive, and nothing beside it', () =>
    withBench(async ({ folder, make }) => {
      const all = await Promise.all([make(), make(), make()]);
      expect(all.map(({ ran }) => ran)).to.deep.equal([anew, anew, anew]);
      expect(archiveIn(folder)).to.match(/\.tar$/);
      expect((await make()).ran).to.deep.equal(['tar']);
    }));

  it('is made beside what somebody has left who was killed while writing; that goes when it is old', () =>
    withArchive(async ({ folder, make }, archive) => {
      rmSync(archive);
      const [old, young] = [`${archive}.old`, `${archive}.young`];
      for (const file of [old, young]) writeFileSync(file, 'half');
      const anHourAgo = Date.now() / 1000 - 3600;
      utimesSync(old, anHourAgo, anHourAgo);
      expect((await make()).ran).to.deep.equal(anew);
      expect(readdirSync(folder).sort()).to.deep.equal([archive, young].map(file => path.basename(file)));
    }));
});
