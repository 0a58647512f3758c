/**
 * Runs the simulator against the shop with one defect each, and against the shop without defects. Several labs run at a
 * time, since they mostly wait and no result depends on time.
 */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { expect } from 'chai';
import pLimit from 'p-limit';
import { defectNames } from '#backends/defects.js';
import { check } from '#src/simulator/checker/check.js';
import type { Findings } from '#src/simulator/checker/findings.js';
import { makePlan } from '#src/simulator/plan/plan.js';
import { parseScenario } from '#src/simulator/scenario/file.js';
import { simulate } from '#src/simulator/simulate.js';
import { type PlantedDefect, plantedDefects } from './planted-defects.js';
import { leavingNothing } from './processes.js';

const labsAtOnce = 3;
/** A seed whose plan has many logouts. */
const seed = 16;
const silentRuns = Number(process.env.SILENT_RUNS ?? 1);

const scenario = (env: string, { backends = 1, tabs = 1, fault = '', faultsMs, calm }: PlantedDefect) => `
name: planted
why: A defect is found under its own name.
modes: [sticky, redis]
system:
  backends: { count: ${backends}, env: { ${env} } }
  proxy: { health: { every: 150ms, timeout: 200ms, fall: 2, rise: 1 } }
users:
  arrivals: { rate: 30/s, for: 600ms, process: uniform }
  think: { ${calm ? 'median: 500ms, p95: 600ms' : 'median: 110ms, p95: 250ms'} }
  tabs: ${tabs}
  timeout: 2s
phases: { warmup: 100ms, baseline: 600ms, faults: ${faultsMs ?? (calm ? 2400 : 1200)}ms, recovery: 300ms, quiesce: 500ms }
faults: [${fault}]
expect: { any: [users.identitySwapped == 0] }
`;

async function findingsOf(row: PlantedDefect, env: string, seed: number): Promise<Findings> {
  const parsed = parseScenario(scenario(env, row), 'planted.yaml');
  const options = { onProgress: () => undefined, signal: new AbortController().signal };
  return check(await simulate(parsed, row.mode, makePlan(parsed, seed), options));
}

/** Returns everything that is wrong, by metric. For lost sessions it lists only the way in which they were lost. */
function wrongs({ users, writes }: Findings): Record<string, number> {
  const { loggedOutHard, silentlyReset, flickered, identitySwapped, logoutNotHonoured, sessionKept } = users;
  const wrongUsers = { loggedOutHard, silentlyReset, flickered, identitySwapped, logoutNotHonoured, sessionKept };
  const { lost, stale, duplicated, phantom, resurrected, failedVisible } = writes;
  const wrongWrites = { lost, stale, duplicated, phantom, resurrected, failedVisible };
  const named = Object.entries({ users: wrongUsers, writes: wrongWrites }).flatMap(([group, counts]) =>
    Object.entries(counts).map(([name, count]) => [`${group}.${name}`, count] as const),
  );
  return Object.fromEntries(named.filter(([, count]) => count > 0));
}

const rows = Object.entries(plantedDefects);

describe('planted defects of the shop', function () {
  this.timeout(120_000 + silentRuns * 10_000);
  let found: Promise<Findings>[] = [];
  let silent: Promise<Findings>[] = [];
  let nothingLeft: Promise<void> = Promise.resolve();

  before(() => {
    const planted = rows.map(
      ([name, row]) =>
        () =>
          findingsOf(row, `SHOP_DEFECT: ${name}`, seed),
    );
    const sound = Array.from({ length: silentRuns }, (_, i) => {
      const row = rows[i % rows.length]?.[1];
      return () => (row === undefined ? expect.fail('no row') : findingsOf(row, '', i + 1));
    });
    nothingLeft = leavingNothing(async () => {
      const limit = pLimit(labsAtOnce);
      const running = [...planted, ...sound].map(run => limit(run));
      [found, silent] = [running.slice(0, rows.length), running.slice(rows.length)];
      await Promise.allSettled(running);
    });
  });

  /** A defect may not show in this way within a second or two. It then runs once more, alone. */
  async function seenOrAgain(name: string, row: PlantedDefect, first?: Promise<Findings>): Promise<Findings> {
    const findings = (await first) ?? expect.fail('it did not run');
    const isSeen =
      wrongs(findings)[row.finding] !== undefined &&
      (row.shape === undefined || findings.incidents.some(({ shape }) => shape === row.shape));
    if (isSeen) return findings;
    await nothingLeft;
    return findingsOf(row, `SHOP_DEFECT: ${name}`, seed + 1);
  }

  for (const [index, [name, row]] of rows.entries()) {
    const { finding, shape, also = [], fault } = row;
    it(`${name} are found as ${finding}${shape === undefined ? '' : `, ${shape}`}`, async () => {
      const findings = await seenOrAgain(name, row, found[index]);
      const { [finding]: count, ...others } = wrongs(findings);
      expect(count, JSON.stringify(wrongs(findings))).to.be.greaterThan(0);
      expect(also, 'nothing but what belongs to it').to.include.members(Object.keys(others));
      if (shape === undefined) return;
      const shaped = findings.incidents.filter(incident => incident.shape === shape);
      expect(shaped.length, JSON.stringify(findings.incidents)).to.be.greaterThan(0);
      if (fault === undefined) return;
      const blamed = shaped.flatMap(({ candidates = [] }) => candidates);
      expect(
        blamed.some(id => fault.includes(`id: ${id},`)),
        JSON.stringify(shaped),
      ).to.equal(true);
    });
  }

  for (const index of Array.from({ length: silentRuns }).keys()) {
    it(`are not found in the shop without defects: run ${index + 1} of ${silentRuns}`, async () => {
      const findings = (await silent[index]) ?? expect.fail('it did not run');
      expect(wrongs(findings)).to.deep.equal({});
      expect(findings.writes.acknowledged).to.be.greaterThan(50);
    });
  }

  it('leave no process and no directory', () => nothingLeft);
});

describe('docs/defects.md', () => {
  const page = readFileSync(path.resolve(import.meta.dirname, '../../../docs/defects.md'), 'utf8');
  const lines = page.split('\n').filter(line => line.startsWith('| `'));

  it('has a line for each planted defect: the mode, the system, and the finding', () => {
    const written = lines.map(line => line.split('|').map(cell => cell.trim().replaceAll('`', '')));
    const said = Object.fromEntries(
      written.map(([, name, _does, mode, where, finding]) => [name, [mode, where, finding]]),
    );
    const known = rows.map(([name, row]) => [name, [row.mode, whereOf(row), findingOf(row)]]);
    expect(said).to.deep.equal(Object.fromEntries(known));
  });

  it('lists only defects that the shop has', () => expect(defectNames).to.include.members(Object.keys(plantedDefects)));
});

function whereOf({ backends = 1, tabs = 1, fault }: PlantedDefect): string {
  const [, name] = /do: (\w+)/.exec(fault ?? '') ?? [];
  const parts = [`${backends} backend${backends === 1 ? '' : 's'}`, tabs > 1 ? `${tabs} tabs` : '', name ?? ''];
  return parts.filter(part => part !== '').join(', ');
}

function findingOf({ finding, shape }: PlantedDefect): string {
  return shape === undefined ? finding : `${finding}, ${shape}`;
}
