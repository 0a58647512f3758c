import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect } from 'chai';
import fc from 'fast-check';
import { check, findingsOf, percentilesIn, prepareCheck } from '#src/simulator/checker/check.js';
import { checkInThreads } from '#src/simulator/checker/judge-run.js';
import { byUser } from '#src/simulator/checker/users/operations.js';
import { UserPass } from '#src/simulator/checker/users/user-pass.js';
import { writeHistory } from '#src/simulator/history/file.js';
import { openHistory } from '#src/simulator/history/open-history.js';
import type { ExpectedEffect, ListedRun, Operation } from '#src/simulator/history/records.js';
import { correctHistory } from '../correct-system.js';
import { defects } from '../defects.js';
import { fault, runOf } from '../histories.js';

const effects: readonly ExpectedEffect[] = [
  { kind: 'silent', member: 'backend-1' },
  { kind: 'answered', member: 'backend-2' },
  { kind: 'slow', member: 'backend-1', atLeastMs: 5 },
  { kind: 'broken', member: 'backend-1' },
  { kind: 'keys' },
  { kind: 'asked', store: 'redis' },
];

/** Returns a run with every effect at once, in the middle of the history, and every defect that fits into it. */
function struck(operations: readonly Operation[], choice: number): ListedRun {
  const defective = Object.values(defects).reduce((before, plant) => plant(before, choice) ?? before, operations);
  const endMs = defective.reduce((last, { doneMs }) => Math.max(last, doneMs), 0);
  const faults = effects.map((expects, i) => ({
    ...fault(`fault-${i}`, endMs / 3, endMs / 3 + 1, endMs / 2),
    expects,
  }));
  return runOf(defective, { faults });
}

describe('passes over some of the users', () => {
  it('add up to the pass over all users', () => {
    fc.assert(
      fc.property(correctHistory, fc.nat(1000), fc.integer({ min: 1, max: 4 }), (operations, choice, parts) => {
        const run = struck(operations, choice);
        const preparation = prepareCheck(run);
        const sum = new UserPass(run, preparation.band);
        for (let part = 0; part < parts; part += 1) {
          const pass = new UserPass({ ...run, operations: [] }, preparation.band);
          for (const [i, own] of [...byUser(run.operations)].entries()) if (i % parts === part) pass.see(own);
          sum.add(structuredClone(pass.counts()));
        }
        expect(findingsOf(run, preparation, percentilesIn(preparation), sum)).to.deep.equal(check(run));
      }),
      { numRuns: 200 },
    );
  });

  it('run in threads for a history outside the heap', async () => {
    const folder = mkdtempSync(path.join(tmpdir(), 'user-pass-test-'));
    try {
      const file = path.join(folder, 'history.ndjson');
      for (const [i, operations] of fc.sample(correctHistory, { numRuns: 5, seed: 3 }).entries()) {
        const run = struck(operations, i);
        await writeHistory(file, [run]);
        const [read] = await openHistory(file, 2, 1);
        expect(read && (await checkInThreads(read, 2))).to.deep.equal(check(run));
      }
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
