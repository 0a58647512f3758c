import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect } from 'chai';
import { HistoryFileError } from '#src/simulator/errors.js';
import { readHistory, writeHistory } from '#src/simulator/history/file.js';
import type { ListedRun } from '#src/simulator/history/records.js';
import { fault, runOf, user } from '#test/simulator/checker/histories.js';

async function withFile(use: (file: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(path.join(tmpdir(), 'history-file-test-'));
  try {
    await use(path.join(folder, 'history.ndjson'));
  } finally {
    await rm(folder, { recursive: true });
  }
}

/** Reads a file with this content and returns the error message, without the folder. */
async function problemOf(content: string): Promise<string> {
  let message = 'none';
  await withFile(async file => {
    await writeFile(file, content);
    try {
      await readHistory(file);
    } catch (error) {
      if (!(error instanceof HistoryFileError)) throw error;
      message = error.message.replace(path.dirname(file) + path.sep, '');
    }
  });
  return message;
}

async function linesOf(run: ListedRun): Promise<string[]> {
  let lines: string[] = [];
  await withFile(async file => {
    await writeHistory(file, [run]);
    lines = (await readFile(file, 'utf8')).trimEnd().split('\n');
  });
  return lines;
}

function fullRun(): ListedRun {
  return runOf(user('ann', 'login, add x, add ü?, read x anonymous, login, final read x*2, logout, replay x'), {
    phases: [{ type: 'phase', phase: 'baseline', startMs: 0, endMs: 1000.5 }],
    faults: [fault('kill', 10, 11, null), { ...fault('hang', 10, null, null), problem: 'nothing to hang' }],
    members: [{ type: 'member', member: 'backend-1', atMs: 3, state: 'dead' }],
    lab: {
      type: 'lab',
      lagMs: { p50: 0, p99: 0, max: 0 },
      dropped: 2,
      droppedMs: [7, 7.5],
      neverStruck: { later: 'it waited' },
      counts: { 'backend-1': { forged: 2 } },
    },
  });
}

describe('history file', () => {
  it('returns what was written, including several runs', () =>
    withFile(async file => {
      const bare = runOf([]);
      const expectations = ['writes.lost == 0', { warn: 'writes.stale == 0' }];
      const lagging = { ...bare, header: { ...bare.header, revocationLagMs: 1000, expectations } };
      const runs = [fullRun(), bare, lagging];
      await writeHistory(file, runs);
      expect(await readHistory(file)).to.deep.equal(runs);
    }));

  it('has one object per line, and begins each run with its header', async () => {
    const lines = await linesOf(fullRun());
    const types = lines.map(line => JSON.parse(line).type);
    expect(types.slice(0, 5)).to.deep.equal(['run', 'phase', 'fault', 'fault', 'member']);
    expect(types.slice(5)).to.deep.equal([...Array(8).fill('operation'), 'lab']);
  });

  it('returns histories longer than a chunk, with characters across the chunk border', () =>
    withFile(async file => {
      const ann = Array.from({ length: 20_000 }, (_, i) => ({ ...user('änn€', 'add ü')[0], id: i }));
      const run = runOf(ann as ListedRun['operations']);
      await writeHistory(file, [run]);
      expect(await readHistory(file)).to.deep.equal([run]);
    }));

  it('accepts a last line without a line end', async () => {
    const lines = await linesOf(fullRun());
    expect(await problemOf(lines.join('\n'))).to.equal('none');
  });

  it('detects truncation at any position', async () => {
    const content = (await linesOf(fullRun())).join('\n');
    for (let length = 0; length < content.length; length += 7) {
      expect(await problemOf(content.slice(0, length)), `cut off after ${length}`).not.to.equal('none');
    }
  });

  it('reports a missing file', async () => {
    let message = '';
    await readHistory('/nowhere/history.ndjson').catch((error: Error) => {
      message = error.message;
    });
    expect(message).to.match(/^cannot read the history \/nowhere\/history.ndjson: found no such file, expected /);
  });

  describe('reports file, line, what was found and what was expected', () => {
    const cases: readonly (readonly [name: string, edit: (lines: string[]) => string[], message: string])[] = [
      ['an empty file', () => [], 'history.ndjson:1: the file is empty, expected a run line'],
      ['no header', lines => lines.slice(1), 'history.ndjson:1: expected a run line, found a line of type operation'],
      [
        'no end',
        lines => lines.slice(0, -1),
        'history.ndjson:3: the run of line 1 has no lab line: expected one at its end, the file is cut off',
      ],
      [
        'a next run before the lab line',
        lines => [...lines.slice(0, 2), ...lines],
        'history.ndjson:3: the run of line 1 has no lab line: expected one at its end, the file is cut off',
      ],
      [
        'a cut line',
        lines => lines.map((line, i) => (i === 1 ? line.slice(0, 21) : line)),
        'history.ndjson:2: no JSON, or cut off: "{"type":"operation",""',
      ],
      ['an empty line', lines => ['', ...lines], 'history.ndjson:1: no JSON, or cut off: ""'],
      ['no object', lines => ['[1]', ...lines], 'history.ndjson:1: expected an object, found "[1]"'],
      [
        'an unknown type',
        replaced('"type":"operation"', '"type":"operations"'),
        'history.ndjson:2: unknown type "operations", expected run, phase, fault, member, operation or lab',
      ],
      [
        'an expectation of an unknown level',
        replaced('"expectations":[]', '"expectations":[{"hint":"x"}]'),
        'history.ndjson:1: expectations: expected a list of strings and of objects such as {"warn":"writes.stale == 0"}, found [{"hint":"x"}]',
      ],
      ['another schema', replaced('"schema":1', '"schema":2'), 'history.ndjson:1: schema: expected 1, found 2'],
      [
        'an unknown kind',
        replaced('"kind":"login"', '"kind":"signin"'),
        'history.ndjson:2: kind: expected one of login, add, remove, read, whoami, logout, replay, found "signin"',
      ],
      [
        'no user',
        replaced('"user":"ann",', ''),
        'history.ndjson:2: user: expected a string that is not empty, found nothing',
      ],
      [
        'no time',
        replaced('"doneMs":15', '"doneMs":null'),
        'history.ndjson:2: doneMs: expected milliseconds, a number from 0 to 1000000000, found null',
      ],
      [
        'a time beyond any run',
        replaced('"doneMs":15', '"doneMs":1e308'),
        'history.ndjson:2: doneMs: expected milliseconds, a number from 0 to 1000000000, found 1e+308',
      ],
      [
        'an expectation that does not parse',
        replaced('"expectations":[]', '"expectations":["writes.lost = 0"]'),
        'history.ndjson:1: expectations: unknown operator "=". Did you mean "=="? Known: ==, !=, <, <=, >, >=.',
      ],
      [
        'an expectation with an unknown window',
        replaced('"expectations":[]', '"expectations":["writes.lost during nowhere == 0"]'),
        'history.ndjson:1: expectations: unknown window "nowhere". Known: warmup, baseline, faults, recovery, <from>..<until>.',
      ],
      ['done before sent', replaced('"doneMs":15', '"doneMs":9'), 'history.ndjson:2: doneMs 9 is before sentMs 10'],
      [
        'sent before planned',
        replaced('"sentMs":10', '"sentMs":9'),
        'history.ndjson:2: sentMs 9 is before plannedMs 10',
      ],
      [
        'a cart that is not a list',
        replaced('"items":["x"]', '"items":{"x":1}'),
        'history.ndjson:3: items: expected a list of strings, or nothing, found {"x":1}',
      ],
      [
        'a read without a cart',
        replaced('"items":["x"],', ''),
        'history.ndjson:3: items: expected the cart, since this is a read that ended ok',
      ],
      [
        'an add without a token',
        replaced('"kind":"login"', '"kind":"add"'),
        'history.ndjson:2: token: expected one, since this is an operation "add"',
      ],
      [
        'an operation that ends twice',
        replaced('"id":2', '"id":1'),
        'history.ndjson:3: operation 1 occurs twice, expected once',
      ],
      [
        'an overlong line',
        lines => [lines[0] ?? '', 'x'.repeat(17 * 1024 * 1024)],
        'history.ndjson:2: the line is longer than 16777216 characters, expected one JSON object a line',
      ],
    ];
    for (const [name, edit, message] of cases) {
      it(name, async () => {
        const lines = await linesOf(runOf(user('ann', 'login, read x')));
        expect(lines).to.have.length(4);
        expect(
          await problemOf(
            edit(lines)
              .map(line => `${line}\n`)
              .join(''),
          ),
        ).to.equal(message);
      });
    }
  });
});

function replaced(what: string, by: string): (lines: string[]) => string[] {
  return lines => {
    expect(lines.join('\n')).to.contain(what);
    return lines.join('\n').replace(what, by).split('\n');
  };
}
