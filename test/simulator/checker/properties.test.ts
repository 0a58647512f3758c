import { expect } from 'chai';
import fc from 'fast-check';
import { check } from '#src/simulator/checker/check.js';
import type { Findings } from '#src/simulator/checker/findings.js';
import type { Operation } from '#src/simulator/history/records.js';
import { correctHistory } from './correct-system.js';
import { defects, plantSilentReset } from './defects.js';
import { fault, runOf, wrongs } from './histories.js';

/** Counts that a correct system can raise, too. */
const legal = ['recovered', 'unverified'];
/** Guarantees. Each defect breaks some of them; words.test.ts says which. */
const guarantees = ['readYourWrites', 'monotonicReads', 'monotonicWrites', 'writesFollowReads'];

function without(names: readonly string[], findings: Findings): Record<string, number> {
  return Object.fromEntries(Object.entries(wrongs(findings)).filter(([name]) => !names.includes(name)));
}

/** Returns the operations by user, and those of each user in reverse order, so that the checker must sort them. */
function reordered(operations: readonly Operation[]): Operation[] {
  return operations.toSorted((a, b) => (a.user < b.user ? 1 : -1)).toSorted((a, b) => b.id - a.id);
}

describe('properties of the checker', () => {
  it('finds nothing in the history of a correct system', () => {
    fc.assert(
      fc.property(correctHistory, operations => {
        const findings = check(runOf(operations));
        expect(without(legal, findings)).to.deep.equal({});
        expect(findings.incidents).to.deep.equal([]);
      }),
      { numRuns: 500 },
    );
  });

  it('is tested with correct histories that hold enough events', () => {
    const samples = fc.sample(correctHistory, { numRuns: 200, seed: 1 }).map(operations => check(runOf(operations)));
    for (const word of ['acknowledged', 'unknown', 'recovered', 'unverified'] as const) {
      expect(samples.filter(({ writes }) => writes[word] > 0).length, word).to.be.greaterThan(10);
    }
  });

  for (const [word, plant] of Object.entries(defects)) {
    it(`finds one planted defect and nothing else: ${word}`, () => {
      let planted = 0;
      fc.assert(
        fc.property(correctHistory, fc.nat(1000), (operations, choice) => {
          const defective = plant(operations, choice);
          if (defective === undefined) return;
          planted += 1;
          const found = without([...legal, ...guarantees], check(runOf(defective)));
          expect(found).to.deep.equal({ [word]: 1, ...(word === 'flickered' && { loggedOut: 1 }) });
        }),
        { numRuns: 300 },
      );
      expect(planted).to.be.greaterThan(10);
    });
  }

  it('finds a silently reset session, and reports its writes as lost by a reset', () => {
    let planted = 0;
    fc.assert(
      fc.property(correctHistory, fc.nat(1000), (operations, choice) => {
        const defective = plantSilentReset(operations, choice);
        if (defective === undefined) return;
        planted += 1;
        const findings = check(runOf(defective.operations));
        const { lost } = defective;
        expect(without([...legal, ...guarantees], findings)).to.deep.equal({ loggedOut: 1, silentlyReset: 1, lost });
        const shapes = findings.incidents.filter(({ kind }) => kind === 'lost').map(({ shape }) => shape);
        expect(shapes).to.deep.equal(Array(lost).fill('reset'));
      }),
      { numRuns: 300 },
    );
    expect(planted).to.be.greaterThan(10);
  });

  it('finds the same in any order of users and operations, and when it runs twice', () => {
    const faults = [fault('kill', 20, 21, 50)];
    fc.assert(
      fc.property(correctHistory, fc.nat(1000), (operations, choice) => {
        const defective = Object.values(defects).reduce((before, plant) => plant(before, choice) ?? before, operations);
        const findings = check(runOf(defective, { faults }));
        expect(check(runOf(defective, { faults }))).to.deep.equal(findings);
        expect(check(runOf(reordered(defective), { faults }))).to.deep.equal(findings);
      }),
    );
  });

  it('does not change the history', () => {
    fc.assert(
      fc.property(correctHistory, operations => {
        const before = structuredClone(operations);
        check(runOf(operations));
        expect(operations).to.deep.equal(before);
      }),
      { numRuns: 20 },
    );
  });
});
