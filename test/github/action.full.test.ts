/** Runs the steps of the action as the runner of GitHub does. */
import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect } from 'chai';
import { root } from '../commands/holdfast.js';
import { short } from '../commands/ran.js';
import { action } from './read-action.js';

interface Ended {
  readonly code: number;
  readonly text: string;
  readonly outputs: Readonly<Record<string, string>>;
  readonly folder: string;
}

/** Runs the steps of the action in this folder, as the runner does. */
async function runAction(
  folder: string,
  given: Readonly<Record<string, string>>,
  more: Readonly<Record<string, string>> = {},
): Promise<Ended> {
  const file = path.join(folder, 'github-output');
  await writeFile(file, '');
  let [code, text] = [0, ''];
  for (const { run = '', env = {} } of action.runs.steps) {
    const script = path.join(folder, 'step.sh');
    await writeFile(script, run);
    const values = Object.entries(env).map(([name, value]) => [name, evaluate(value, given)]);
    const variables = { GITHUB_ACTIONS: 'true', GITHUB_OUTPUT: file, ...Object.fromEntries(values) };
    [code, text] = await new Promise(resolve => {
      const options = { cwd: folder, env: { ...process.env, ...variables, ...more } };
      execFile('bash', ['--noprofile', '--norc', '-e', '-o', 'pipefail', script], options, (error, stdout, stderr) =>
        resolve([Number(error?.code ?? 0), `${stdout}${stderr}`]),
      );
    });
    if (code !== 0) break;
  }
  const set = (await readFile(file, 'utf8')).split('\n').filter(line => line !== '');
  const ofStep: Record<string, string> = Object.fromEntries(set.map(line => line.split('=')));
  const outputs = Object.entries(action.outputs).map(([name, { value }]) => {
    const [, key = ''] = /^\$\{\{ steps\.run\.outputs\.([\w-]+) \}\}$/.exec(value) ?? [];
    return [name, ofStep[key] ?? ''];
  });
  return { code, text, outputs: Object.fromEntries(outputs), folder };
}

/** Evaluates the two kinds of expressions that the action has. */
function evaluate(value: string, given: Readonly<Record<string, string>>): string {
  return value.replaceAll(/\$\{\{ (?:inputs\.([\w-]+)|(github\.action_path)) \}\}/g, (_, name, isPath) =>
    isPath === undefined ? (given[name] ?? action.inputs[name]?.default ?? '') : root,
  );
}

async function inFolder(body: (folder: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(path.join(tmpdir(), 'holdfast-action-'));
  try {
    await body(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

describe('the action', function () {
  this.timeout(60_000);

  it('sets the worst verdict, and the sums over all runs', () =>
    inFolder(async folder => {
      const kill = '\n  - { id: kill, at: 100ms, do: kill, target: backend-2, for: 600ms }';
      const one = short('', kill, '    - users.loggedOut == 0', '200ms').replace('name: short', 'name: one');
      const two = short('', kill, '    - writes.phantom == 0', '200ms').replace('name: short', 'name: two');
      await writeFile(path.join(folder, 'one.yaml'), one);
      await writeFile(path.join(folder, 'two scenarios.yaml'), two);
      const { code, text, outputs } = await runAction(folder, {
        scenario: 'one.yaml\ntwo scenarios.yaml\n',
        mode: 'sticky',
        arguments: '--json {scenario}.json',
      });
      expect(code, text).to.equal(1);
      const sums = { users: 0, writes: 0 };
      for (const name of ['one', 'two']) {
        const { runs } = JSON.parse(await readFile(path.join(folder, `${name}.json`), 'utf8'));
        expect(runs).to.have.length(1);
        sums.users += runs[0].users.loggedOut;
        sums.writes += runs[0].writes.lost;
      }
      expect(sums.users).to.be.greaterThan(0);
      expect(outputs).to.deep.equal({
        verdict: 'fail',
        'users-logged-out': String(sums.users),
        'writes-lost': String(sums.writes),
      });
    }));

  it('runs no command that stands in an input, and sets nothing when nothing could run', () =>
    inFolder(async folder => {
      const bad = (name: string) => `"; touch ${name}; $(touch ${name}) \`touch ${name}\` ; *`;
      const given = { scenario: bad('one'), mode: bad('two'), arguments: bad('three') };
      const { code, text, outputs } = await runAction(folder, given);
      expect(code, text).to.equal(3);
      expect(await readdir(folder)).to.have.members(['github-output', 'step.sh']);
      expect(Object.values(outputs)).to.deep.equal(['', '', '']);
    }));

  it('names the input that is empty, because GitHub does not refuse it', () =>
    inFolder(async folder => {
      const { code, text } = await runAction(folder, { scenario: ' \n\n' });
      expect(code, text).to.equal(3);
      expect(text).to.include('::error::The input "scenario" is empty.');
    }));

  it('takes the holdfast of the project where it is installed, and installs the stores that it lacks', () =>
    inFolder(async folder => {
      const fake = [
        '#!/bin/sh',
        'printf "[%s]" "$@" >> calls',
        '[ "$*" != doctor ] || exit 4',
        'echo verdict=pass >> "$GITHUB_OUTPUT"',
      ];
      await writeProgram(path.join(folder, 'node_modules/.bin/holdfast'), fake);
      await writeProgram(path.join(folder, 'bin/sudo'), ['#!/bin/sh', 'exec "$@"']);
      const scenario = '\n  a b.yaml \r\n \n';
      const given = { scenario, mode: 'redis', arguments: '--repeat  3' };
      const { code, text } = await runAction(folder, given, { PATH: `${folder}/bin:${process.env.PATH}` });
      expect(code, text).to.equal(0);
      expect(await readFile(path.join(folder, 'calls'), 'utf8')).to.equal(
        '[doctor][doctor][--install][run][a b.yaml][--repeat][3][--mode][redis]',
      );
    }));

  it('fails when nothing was run', () =>
    inFolder(async folder => {
      const { code, text } = await runAction(folder, { scenario: 'one.yaml', arguments: '--help' });
      expect(code, text).to.equal(3);
      expect(text).to.include('::error::Nothing was run.');
    }));
});

async function writeProgram(file: string, lines: readonly string[]): Promise<void> {
  await mkdir(path.dirname(file), { recursive: true });
  await writeFile(file, `${lines.join('\n')}\n`, { mode: 0o755 });
}
