import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { expect } from 'chai';
import fc from 'fast-check';
import { check } from '#src/simulator/checker/check.js';
import { byUser } from '#src/simulator/checker/users/operations.js';
import { readHistory, writeHistory } from '#src/simulator/history/file.js';
import { LineScanner, paddingBytes } from '#src/simulator/history/line-scanner.js';
import { parseHistoryLine } from '#src/simulator/history/lines.js';
import { joinRuns, openHistory, splitFile } from '#src/simulator/history/open-history.js';
import { OperationTable } from '#src/simulator/history/operation-table.js';
import { sourceOf } from '#src/simulator/history/pools.js';
import { readPart } from '#src/simulator/history/read-part.js';
import {
  eachOutline,
  type Operation,
  type OperationOutline,
  type Operations,
  outlinesOf,
  type RunRecord,
} from '#src/simulator/history/records.js';
import { correctHistory } from '#test/simulator/checker/correct-system.js';
import { runOf, user } from '#test/simulator/checker/histories.js';
import { operationLines } from '#test/simulator/history/history-lines.js';

const folder = mkdtempSync(path.join(tmpdir(), 'history-parts-test-'));
const file = path.join(folder, 'history.ndjson');
after(() => rmSync(folder, { recursive: true }));

const { header, lab } = runOf([]);
const [first, last] = [JSON.stringify(header), JSON.stringify(lab)];

type Outcome = { readonly runs: RunRecord[] } | { readonly problem: string };

async function outcomeOf(reading: Promise<RunRecord[]>): Promise<Outcome> {
  try {
    return { runs: (await reading).map(run => ({ ...run, operations: [...run.operations] })) };
  } catch (error) {
    return { problem: String(error) };
  }
}

/** Reads the file in parts, without the simple reader. Returns undefined if a part cannot be read. */
function inParts(parts: number): RunRecord[] | undefined {
  try {
    return joinRuns(splitFile(file, statSync(file).size, parts).flatMap(readPart));
  } catch {
    return undefined;
  }
}

describe('a history read in parts', () => {
  it('equals what the simple reader returns, or is left to the simple reader', async () => {
    let [accepted, refused] = [0, 0];
    await fc.assert(
      fc.asyncProperty(operationLines, fc.integer({ min: 1, max: 5 }), fc.boolean(), async (lines, parts, hasEnd) => {
        writeFileSync(file, [first, ...lines, last].join('\n') + (hasEnd ? '\n' : ''));
        const simple = await outcomeOf(readHistory(file));
        const joined = inParts(parts);
        if ('problem' in simple) {
          expect(joined, simple.problem).to.equal(undefined);
          refused += 1;
        } else if (joined !== undefined) {
          expect(joined.map(run => ({ ...run, operations: [...run.operations] }))).to.deep.equal(simple.runs);
          accepted += 1;
        }
      }),
      { numRuns: 300 },
    );
    expect(accepted, 'read in parts').to.be.greaterThan(50);
    expect(refused, 'refused').to.be.greaterThan(50);
  }).timeout(60_000);

  it('scans each line to its end, or leaves it to the simple reader', () => {
    let scannedLines = 0;
    fc.assert(
      fc.property(operationLines, lines => {
        const table = new OperationTable();
        const scanner = new LineScanner(table);
        for (const line of lines) {
          const bytes = Buffer.concat([Buffer.from(`${line}\n`), Buffer.alloc(paddingBytes)]);
          if (scanner.scan(sourceOf(bytes), 0) < 0) continue;
          expect(table.operationAt(keptRow(table))).to.deep.equal(parseHistoryLine(line));
          scannedLines += 1;
        }
      }),
      { numRuns: 500 },
    );
    expect(scannedLines).to.be.greaterThan(500);
  }).timeout(60_000);

  it('scans every line that a run writes without the simple reader', () => {
    fc.assert(
      fc.property(correctHistory, operations => {
        const table = new OperationTable();
        const scanner = new LineScanner(table);
        for (const operation of operations) {
          const bytes = Buffer.from(`${JSON.stringify(operation)}\n${' '.repeat(paddingBytes)}`);
          expect(scanner.scan(sourceOf(bytes), 0)).to.equal(bytes.length - paddingBytes - 1);
          expect(table.operationAt(keptRow(table))).to.deep.equal(operation);
        }
      }),
      { numRuns: 50 },
    );
  });

  it('gives the checker the same findings', async () => {
    await fc.assert(
      fc.asyncProperty(correctHistory, async operations => {
        const run = runOf(operations);
        await writeHistory(file, [run, run]);
        for (const { operations: read } of inParts(2) ?? []) {
          expect(check({ ...run, operations: read })).to.deep.equal(check(run));
          expect(sorted(byUser(read))).to.deep.equal(sorted(byUser(operations)));
          expect([...outlinesOf(read)].map(outlined)).to.deep.equal(operations.map(outlined));
          expect(shownOutlines(read)).to.deep.equal(operations.map(outlined));
        }
        expect(inParts(2)).to.have.length(2);
      }),
      { numRuns: 50 },
    );
  });

  for (const [name, carts] of [
    ['with only new tokens', 'read w x y z'],
    ['that grows at its end', 'read w, read w x, read w x y z'],
    ['that grows before its end', 'read x z, read w x y z'],
    ['in another order', 'read w x y z, read z y x w, read y w'],
    ['that loses several tokens', 'read w x y z, read z, read w z'],
    ['that holds a token twice', 'read w w x, read w x x y, read w x y y'],
    ['with tokens that the user did not add', 'read w other, read w other x, read other more x'],
    ['that was empty', 'read w x, read, read w x y'],
  ] as const) {
    it(`returns a cart ${name} as it was written`, async () => {
      const operations = user('ann', `login, add w, add x, ${carts}, add y, add z, ${carts}`);
      await writeHistory(file, [runOf(operations)]);
      for (const parts of [1, 2]) expect([...(inParts(parts)?.[0]?.operations ?? [])]).to.deep.equal(operations);
    });
  }

  it('keeps operations that do not fit into a row', async () => {
    const [login] = user('ann', 'login') as [Operation];
    const odd: Operation[] = [
      { ...login, id: 1, session: 2 ** 40 },
      { ...login, id: 2, status: 70_000 },
      { ...login, id: 3, error: '\ud800' },
      { ...login, id: 2 ** 50 },
      { ...login, id: 4, kind: 'read', items: Array.from({ length: 1_050_000 }, (_, i) => `${i % 1_000}`) },
      ...Array.from({ length: 66_000 }, (_, i) => ({ ...login, id: 10 + i, error: `error ${i}` })),
    ];
    await writeHistory(file, [runOf(odd)]);
    // In one part: each part has a table of its own, with room for 65,535 different errors.
    const [read] = inParts(1) ?? [];
    const operations = [...(read?.operations ?? [])].map(operation => ({ ...operation }));
    // Chai takes seconds to compare a million items.
    expect(isDeepStrictEqual(operations, odd)).to.equal(true);
  }).timeout(20_000);

  it('is read by threads if it is large, and otherwise by the simple reader', async () => {
    const operations = ['ann', 'bob', 'cleo', 'änn', 'dan'].flatMap((name, i) =>
      user(name, 'login, add x, add y, read x y, read x y, remove x, read y').map(each => ({
        ...each,
        id: each.id + 100 * i,
      })),
    );
    const runs = [runOf(operations), runOf([]), runOf(operations)];
    await writeHistory(file, runs);
    const [short, long] = [await openHistory(file, 2, 1_000_000), await openHistory(file, 2, 1)];
    expect(short).to.deep.equal(runs);
    expect(long.map(({ operations }) => Array.isArray(operations))).to.deep.equal([false, false, false]);
    expect(long.map(run => ({ ...run, operations: [...run.operations] }))).to.deep.equal(runs);
  });

  for (const [name, lines] of [
    ['cut off', [first, JSON.stringify(user('ann', 'login')[0])]],
    ['an id that occurs twice', [first, ...[1, 2].map(() => JSON.stringify(user('ann', 'login')[0])), last]],
    [
      'an id that occurs twice, in two parts',
      [first, ...['ann', 'bob', 'cleo', 'dan', 'eve'].map(each => JSON.stringify(user(each, 'login')[0])), last],
    ],
    ['a wrong field', [first, JSON.stringify({ ...user('ann', 'login')[0], status: -1 }), last]],
    ['no operation', [first, 'x', last]],
    ['no run', ['{}']],
  ] as const) {
    it(`rejects a file with the message of the simple reader: ${name}`, async () => {
      writeFileSync(file, `${lines.join('\n')}\n`);
      const simple = await outcomeOf(readHistory(file));
      expect(simple).to.have.property('problem');
      expect(await outcomeOf(openHistory(file, 2, 1))).to.deep.equal(simple);
    });
  }

  it('reads a user name that UTF-8 cannot encode, with the simple reader', async () => {
    const run = runOf(user('\ud800', 'login').map(each => each));
    await writeHistory(file, [run]);
    expect(await openHistory(file, 2, 1)).to.deep.equal([run]);
  });
});

/** Keeps the row that was scanned last, and returns its number. */
function keptRow(table: OperationTable): number {
  table.keepRow();
  return table.length - 1;
}

function sorted(users: Iterable<Operation[]>): Operation[][] {
  return [...users].sort(([a], [b]) => (a?.id ?? 0) - (b?.id ?? 0));
}

/** Returns all fields of all outlines. They are read one by one, because an outline has getters. */
function shownOutlines(operations: Operations): unknown[] {
  const shown: unknown[] = [];
  eachOutline(operations, outline => shown.push(outlined(outline)));
  return shown;
}

function outlined(operation: OperationOutline): OperationOutline {
  const { type, id, user: name, kind, session, plannedMs, sentMs, doneMs, outcome, status, error } = operation;
  const { identity, backend, incarnation, version, proxy, key, final, extra, keptId, renewed } = operation;
  const required = { type, id, user: name, kind, session, plannedMs, sentMs, doneMs, outcome };
  const texts = { error, identity, backend, incarnation, version, proxy, key };
  return { ...required, status, ...texts, final, extra, keptId, renewed };
}
