import { mkdtemp, readdir, readFile, readlink, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect } from 'chai';
import { startAtZero } from '#src/live/excerpt.js';
import { fileOf, type LiveRecords, writeLiveFiles } from '#src/live/export-files.js';
import { exportNames } from '#src/live/protocol.js';
import { check } from '#src/simulator/checker/check.js';
import { readHistory } from '#src/simulator/history/file.js';
import type { ListedRun } from '#src/simulator/history/records.js';
import { readScenario } from '#src/simulator/scenario/file.js';
import type { FaultSpec } from '#src/simulator/scenario/scenario.js';
import { lab, movedBy, sessionInMemory } from './sessions.js';

const kill: FaultSpec = { id: 'kill-backend-2', trigger: { atMs: 0 }, do: 'kill', target: 'backend-2', forMs: 1200 };
const endedAt = new Date('2026-11-30T20:15:03.456Z');

describe('the files of a live session', () => {
  let left: ListedRun;
  let right: ListedRun;
  let records: LiveRecords;
  before(async () => {
    left = await sessionInMemory('sticky', [kill]);
    right = await sessionInMemory('redis', [kill]);
    records = { lab, left, right };
  });

  it('are a report, both histories and a scenario, in a folder that is named after the time', () =>
    withOut(async out => {
      const files = await writeLiveFiles(out, records, endedAt);
      const folder = path.join(out, 'live', '2026-11-30T20-15-03Z');
      const names = ['report.html', 'history-left.ndjson', 'history-right.ndjson', 'scenario.yaml'];
      expect(files).to.deep.equal(names.map(name => path.join(folder, name)));
      expect((await readdir(folder)).sort()).to.deep.equal(names.toSorted());
      expect(await readlink(path.join(out, 'live', 'latest'))).to.equal('2026-11-30T20-15-03Z');
      expect(await readHistory(path.join(folder, 'history-left.ndjson'))).to.deep.equal([left]);
      expect(await readHistory(path.join(folder, 'history-right.ndjson'))).to.deep.equal([right]);
      expect((await readScenario(path.join(folder, 'scenario.yaml'))).modes).to.deep.equal(['sticky', 'redis']);
    }));

  it('have a second scenario when the sides were struck differently', () =>
    withOut(async out => {
      const calm = await sessionInMemory('redis', []);
      const files = await writeLiveFiles(out, { lab, left, right: calm }, endedAt);
      expect(files.map(file => path.basename(file))).to.deep.equal([...exportNames]);
    }));

  it('are those of one side when the other never ran', () =>
    withOut(async out => {
      const files = await writeLiveFiles(out, { lab, right }, endedAt);
      const names = ['report.html', 'history-right.ndjson', 'scenario.yaml'];
      expect(files.map(file => path.basename(file))).to.deep.equal(names);
    }));

  it('are none, without a folder, when no side ever ran', () =>
    withOut(async out => {
      expect(await writeLiveFiles(out, { lab }, endedAt)).to.deep.equal([]);
      expect(await readdir(out)).to.deep.equal([]);
    }));

  it('have no scenario when recorded histories were played', () => {
    expect(fileOf('scenario.yaml', { left, right })).to.equal(undefined);
    expect(fileOf('report.html', { left, right })).not.to.equal(undefined);
  });

  it('have the same text when they are downloaded', () =>
    withOut(async out => {
      const files = await writeLiveFiles(out, records, endedAt);
      for (const name of exportNames) {
        const text = fileOf(name, records);
        const file = files.find(one => path.basename(one) === name);
        expect(text && [...text].join(''), name).to.equal(file && (await readFile(file, 'utf8')));
      }
    }));

  it('reject with the error of the file system when they cannot be written', () =>
    withOut(async out => {
      await writeFile(path.join(out, 'live'), 'a file, not a folder');
      const error: unknown = await writeLiveFiles(out, records, endedAt).catch(reason => reason);
      expect(error).to.be.instanceOf(Error).with.property('code', 'EEXIST');
      expect(await readdir(out)).to.deep.equal(['live']);
    }));

  it('begin at time 0 after the history was cleared, with the same findings', async () => {
    const late = movedBy(300_000, left);
    const shown = startAtZero(late);
    const { incidents: before, ...countsBefore } = check(late);
    const { incidents: after, ...countsAfter } = check(shown);
    expect(before.length).to.be.greaterThan(0);
    expect(countsAfter.users).to.deep.equal(countsBefore.users);
    expect(countsAfter.writes).to.deep.equal(countsBefore.writes);
    expect(after.map(({ user, token }) => [user, token])).to.deep.equal(before.map(({ user, token }) => [user, token]));
    expect(Math.min(...shown.operations.map(({ plannedMs }) => plannedMs))).to.equal(0);
    expect(shown.header.startedAt).to.equal('2026-01-01T00:05:00.000Z');
    expect(shown.header.why).to.include('The history was cleared: it begins 300.0 s after the start of the lab.');
    expect(startAtZero(left)).to.equal(left);
  });
});

async function withOut(work: (out: string) => Promise<void>): Promise<void> {
  const out = await mkdtemp(path.join(tmpdir(), 'holdfast-live-'));
  await work(out).finally(() => rm(out, { recursive: true, force: true }));
}
