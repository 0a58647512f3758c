import { expect } from 'chai';
import { type ModeName, modeNames } from '#src/modes.js';
import { check } from '#src/simulator/checker/check.js';
import type { Findings } from '#src/simulator/checker/findings.js';
import { endsOf } from '#src/simulator/cluster/targets.js';
import type { FaultRecord, ListedRun } from '#src/simulator/history/records.js';
import { makePlan } from '#src/simulator/plan/plan.js';
import { pick, randomStream } from '#src/simulator/plan/random.js';
import { wrongs } from '../checker/histories.js';
import { type Place, plants } from './plants.js';
import { randomScenario } from './random-scenario.js';
import { runInMemory } from './run-in-memory.js';

/** Counts that a correct system can raise, too. */
const legal = ['recovered', 'unverified'];
const guarantees = ['readYourWrites', 'monotonicReads', 'monotonicWrites', 'writesFollowReads'];

/** Tests that the checker finds exactly what is planted in random histories, and nothing in those of a correct system. */
export function describeRandomHistories(historiesPerMode: number): void {
  describe('random histories', function () {
    this.timeout(60_000);

    for (const mode of modeNames) {
      describe(`mode ${mode}`, () => {
        const runs: ListedRun[] = [];

        before(async () => {
          for (let seed = 1; seed <= historiesPerMode; seed += 1) runs.push(await randomRun(mode, seed));
        });

        it('of a correct system raise no finding, whatever faults strike', () => {
          for (const run of runs) {
            const findings = check(run);
            expect(wrongsBut(legal, findings), `seed ${run.header.seed}`).to.deep.equal({});
            expect(findings.incidents, `seed ${run.header.seed}`).to.deep.equal([]);
          }
        });

        it('hold faults, writes and failed requests', () => {
          const findings = runs.map(check);
          expect(runs.filter(({ faults }) => faults.length > 0).length).to.equal(historiesPerMode);
          expect(findings.filter(({ writes }) => writes.acknowledged > 20).length).to.be.greaterThan(
            historiesPerMode * 0.75,
          );
          expect(findings.filter(({ requests }) => requests.bad > 0).length).to.be.greaterThan(historiesPerMode / 4);
        });

        for (const [name, plant] of Object.entries(plants)) {
          it(`with one planted ${name} raise exactly that finding, with an active fault on its path as a candidate`, () => {
            let [planted, blamed] = [0, 0];
            for (const run of runs) {
              const { culprit, place } = placeFor(run, plant.places(run.operations));
              if (place === undefined) continue;
              planted += 1;
              const findings = check({ ...run, operations: place.plant() });
              const hint = `seed ${run.header.seed}, operations ${place.since.id} and ${place.seen.id}`;
              const found = wrongsBut([...legal, ...guarantees], findings);
              expect(found, hint).to.include({ [plant.counts[0] ?? '']: 1 });
              expect(plant.counts, hint).to.include.members(Object.keys(found));
              const incident = findings.incidents.find(({ kind }) => kind === plant.incident);
              expect(incident?.user, hint).to.equal(place.seen.user);
              if (culprit === undefined) continue;
              blamed += 1;
              expect(incident?.candidates, hint).to.include(culprit.id);
            }
            expect(planted, 'planted').to.be.greaterThan(historiesPerMode / 2);
            expect(blamed, 'blamed').to.be.greaterThan(historiesPerMode / 20);
          });
        }
      });
    }
  });
}

function randomRun(mode: ModeName, seed: number): Promise<ListedRun> {
  const scenario = randomScenario(mode, seed);
  return runInMemory(scenario, mode, makePlan(scenario, seed));
}

function wrongsBut(names: readonly string[], findings: Findings): Record<string, number> {
  return Object.fromEntries(Object.entries(wrongs(findings)).filter(([name]) => !names.includes(name)));
}

/** Picks a place that a fault can explain. If there is none, it picks any place. */
function placeFor(run: ListedRun, places: readonly Place[]): { culprit?: FaultRecord; place?: Place | undefined } {
  const random = randomStream(run.header.seed, 'plant');
  const explained = run.faults.flatMap(culprit =>
    places.filter(place => canExplain(culprit, place, run)).map(place => ({ culprit, place })),
  );
  return pick(random, explained) ?? { place: pick(random, places) };
}

/** Whether a fault can explain a defect by path and time: it struck something that the data depended on, and was active
 * in between. */
function canExplain({ target, requestedMs, healedMs }: FaultRecord, { since, seen }: Place, run: ListedRun): boolean {
  const { system } = run.header;
  if (seen.sentMs < requestedMs || since.doneMs > (healedMs ?? Number.POSITIVE_INFINITY)) return false;
  const isOnPath = (end: string) => {
    if (end === 'secrets') return system?.keeps === 'browser';
    if (end.startsWith('proxy')) return system?.affinity ?? false;
    return end.startsWith('backend') ? end === since.backend || end === seen.backend : system?.keeps !== 'backend';
  };
  return (endsOf(target) ?? [target]).every(isOnPath);
}
