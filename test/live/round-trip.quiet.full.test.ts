import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect } from 'chai';
import { type LiveRecords, writeLiveFiles } from '#src/live/export-files.js';
import { LiveRun } from '#src/live/live-run.js';
import { sideNames } from '#src/live/protocol.js';
import type { ModeName } from '#src/modes.js';
import { check } from '#src/simulator/checker/check.js';
import type { Findings } from '#src/simulator/checker/findings.js';
import { describeMachineDoubt } from '#src/simulator/checker/verdict/doubts.js';
import { judge } from '#src/simulator/checker/verdict/verdict.js';
import { waitUntil } from '#src/simulator/cluster/probe.js';
import { makePlan } from '#src/simulator/plan/plan.js';
import { readScenario } from '#src/simulator/scenario/file.js';
import type { Scenario } from '#src/simulator/scenario/scenario.js';
import { simulate } from '#src/simulator/simulate.js';
import { leavingNothing } from '../simulator/processes.js';
import { type FoundSession, found, lab } from './sessions.js';

/** One mode for each side. A killed backend loses sessions in the first mode only. */
const modes = ['sticky', 'redis'] as const;
const usersCount = 10;
/** Each process costs time to start. */
const small = { ...lab, system: { ...lab.system, backends: { ...lab.system.backends, count: 2 } } };
const withinMs = 20_000;

/** A session of the live lab with real processes: the same backend is killed on each side, and started again. */
async function playSession(): Promise<readonly FoundSession[]> {
  const { signal } = new AbortController();
  const sides = modes.map(mode => new LiveRun({ scenario: small, mode, seed: 7, users: usersCount, signal }));
  try {
    await Promise.all(sides.map(side => side.start()));
    const areIn = (side: LiveRun) => side.view().users.filter(({ state }) => state === 'in').length === usersCount;
    expect(await waitUntil(async () => sides.every(areIn), withinMs), 'all users logged in').to.equal(true);
    const nothing = sides.map(() => undefined);
    expect(await Promise.all(sides.map(side => side.strike('kill', 'backend-2')))).to.deep.equal(nothing);
    const [left] = sides;
    const hasLost = async () => (left?.view().counts.loggedOut ?? 0) > 0 && (left?.view().counts.missing ?? 0) > 0;
    expect(await waitUntil(hasLost, withinMs), 'the left side lost something').to.equal(true);
    expect(await Promise.all(sides.map(side => side.heal('backend-2')))).to.deep.equal(nothing);
  } finally {
    await Promise.all(sides.map(side => side.stop()));
  }
  return sides.map(side => found(side.record()));
}

/** Writes the files of a session as the command does at its end. */
async function withWrittenFiles<T>(records: LiveRecords, work: (files: readonly string[]) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(path.join(tmpdir(), 'holdfast-round-trip-'));
  try {
    return await work(await writeLiveFiles(folder, records, new Date()));
  } finally {
    await rm(folder, { recursive: true });
  }
}

describe('a session of the live lab with real processes, sticky and redis', function () {
  this.timeout(90_000);

  it('becomes a scenario that shows again, in each mode, whether users were logged out and writes lost', async () => {
    const sides = await leavingNothing(() => playSession());
    const records = Object.fromEntries(sides.map(({ run }, at) => [sideNames[at] ?? '', run]));
    const scenario = await withWrittenFiles({ ...records, lab: small }, async files => {
      const histories = ['history-left.ndjson', 'history-right.ndjson'];
      expect(files.map(file => path.basename(file))).to.deep.equal(['report.html', ...histories, 'scenario.yaml']);
      return readScenario(files.at(-1) ?? '');
    });
    for (const { run, findings } of sides) await showsAgain(scenario, run.header.mode as ModeName, findings);
  });
});

async function showsAgain(scenario: Scenario, mode: ModeName, { users, writes }: Findings): Promise<void> {
  const { signal } = new AbortController();
  const plan = makePlan(scenario, scenario.seed);
  const again = found(await leavingNothing(() => simulate(scenario, mode, plan, { signal, onProgress: () => {} })));
  expect(again.findings.users.loggedOut > 0, `${mode}: logged out`).to.equal(users.loggedOut > 0);
  expect(again.findings.writes.lost > 0, `${mode}: lost`).to.equal(writes.missing > 0);
  const { word, reasons } = judge(again.run, check(again.run));
  expect(word, `${mode}: ${reasons.join()}`).to.not.equal('fail');
  // A busy machine makes a run inconclusive.
  if (describeMachineDoubt(again.run.lab) === undefined) expect(reasons, mode).to.deep.equal([]);
}
