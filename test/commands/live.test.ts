import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, open, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect } from 'chai';
import { paths } from '#src/live/protocol.js';
import type { ModeName } from '#src/modes.js';
import { packageFile } from '#src/shared/package.js';
import { writeHistory } from '#src/simulator/history/file.js';
import type { ListedRun } from '#src/simulator/history/records.js';
import { makePlan } from '#src/simulator/plan/plan.js';
import { readScenario } from '#src/simulator/scenario/file.js';
import { buildShortForm } from '#src/simulator/scenario/scenario.js';
import { countsOfReport } from '../live/told-run.js';
import { ask, Watch } from '../live/with-live.js';
import { runInMemory } from '../simulator/model/run-in-memory.js';
import { until, withHoldfast } from './holdfast.js';
import { commandLine } from './in-process.js';
import { addressOf } from './live-address.js';

const usage: readonly (readonly [words: string, says: RegExp])[] = [
  ['--modes stiky,redis', /unknown mode "stiky"\. Did you mean "sticky"\?/],
  ['--modes sticky,redis,jwt', /--modes: expected one or two modes, such as --modes sticky,redis\./],
  ['--modes sticky,sticky', /--modes: found a mode twice, expected one mode or two different modes/],
  ['--mods sticky', /unknown flag --mods\. Did you mean --modes\?/],
  ['--users 7', /--users: expected a whole number from 8 to 400, not "7"/],
  ['--backends 10', /--backends: expected a whole number from 1 to 9/],
  ['--seed -1', /--seed: expected a whole number from 0/],
  ['--port 70000', /--port: expected a whole number from 0 to 65535/],
  ['--for 10', /--for "10": expected a duration up to 24h, such as 90s or 10min\./],
  ['--for 25h', /--for "25h": expected a duration up to 24h/],
  ['--out /proc/none', /--out: the folder "\/proc\/none" is not writable/],
  ['--out HERE/package.json', /--out: the folder ".*package\.json" is not writable \(it is a file/],
  ['--scenario no-such.yaml', /no-such\.yaml/],
  ['--scenario HERE/scenarios/kill-one.yaml --backends 2', /--backends and --scenario exclude each other/],
  [
    '--replay no-such.ndjson',
    /cannot read the history no-such\.ndjson: found no such file, expected .*reports\/kill-one\/latest/,
  ],
  ['--replay HERE/package.json', /package\.json:1: /],
  ['--replay HERE/scenarios', /holds no history\.ndjson: expected the folder of a run/],
  ['--replay two.ndjson --users 20', /--replay and --users exclude each other/],
];

async function shortRun(mode: ModeName): Promise<ListedRun> {
  const scenario = buildShortForm(await readScenario(packageFile('scenarios/kill-one.yaml')));
  return runInMemory(scenario, mode, makePlan(scenario, scenario.seed));
}

describe('holdfast live', () => {
  let folder: string;
  let history: string;

  before(async () => {
    folder = await mkdtemp(path.join(tmpdir(), 'holdfast-live-'));
    history = path.join(folder, 'history.ndjson');
    await writeHistory(history, await Promise.all([shortRun('sticky'), shortRun('redis'), shortRun('jwt')]));
  });

  after(() => rm(folder, { recursive: true, force: true }));

  for (const [words, says] of usage) {
    it(`refuses ${words} with exit code 3, and says what to type`, async () => {
      const { code, stderr, stdout, left } = await commandLine([
        'live',
        ...words.replace('HERE', packageFile('')).split(' '),
      ]);
      expect(code, stderr).to.equal(3);
      expect(stderr).to.match(says);
      expect([stdout, left]).to.deep.equal(['', []]);
    });
  }

  it('refuses a history of three runs, and plays those that --modes names', async () => {
    const words = ['live', '--replay', history, '--port', '0', '--for', '100ms'];
    const all = await commandLine(words);
    expect(all.code).to.equal(3);
    expect(all.stderr).to.include(
      '--replay: found 3 runs (sticky, redis, jwt), expected one or two. Choose with --modes sticky,redis.',
    );
    const wrong = await commandLine([...words, '--modes', 'sticky,redi']);
    expect(wrong.stderr).to.include('unknown mode of these histories "redi". Did you mean "redis"?');
    const two = await commandLine([...words, '--modes', 'jwt,sticky']);
    expect(two.stderr).to.equal('playing jwt on the left, sticky on the right\n');
  });

  it('ends with code 0 after the time of --for, and leaves no process and no file when it plays', async () => {
    const words = ['live', '--replay', history, '--modes', 'sticky', '--port', '0', '--for', '300ms'];
    const { code, stdout, stderr, left } = await commandLine(words);
    expect([code, stderr, left]).to.deep.equal([0, 'playing sticky on the left\n', []]);
    expect(stdout).to.match(/^open this address: http:\/\/127\.0\.0\.1:\d+\/#[\w-]{43}\n$/);
  });

  it('takes the next free port when its port is taken, and says so', async () => {
    const holder = createServer().listen(0, '127.0.0.1');
    await new Promise(resolve => holder.once('listening', resolve));
    const address = holder.address();
    const port = typeof address === 'object' ? (address?.port ?? 0) : 0;
    const words = ['live', '--replay', history, '--modes', 'redis', '--port', String(port), '--for', '100ms'];
    const { stdout, stderr } = await commandLine(words);
    holder.close();
    const next = Number(/127\.0\.0\.1:(\d+)/.exec(stdout)?.[1]);
    expect(next).to.be.within(port + 1, port + 19);
    expect(stderr).to.include(`port ${port} is taken; the next free one is ${next}\n`);
  });

  it('opens the address in a browser with --open', async () => {
    const opened = path.join(folder, 'opened');
    await writeFile(
      path.join(folder, 'xdg-open'),
      `#!/bin/sh\necho "$1" > ${opened}.part\nmv ${opened}.part ${opened}\n`,
      {
        mode: 0o755,
      },
    );
    const words = ['live', '--replay', history, '--modes', 'redis', '--port', '0', '--for', '100ms', '--open'];
    const { stdout } = await commandLine(words, { PATH: `${folder}:${process.env.PATH}` });
    await until(
      () => existsSync(opened),
      5000,
      () => opened,
    );
    expect(await readFile(opened, 'utf8')).to.equal(stdout.replace('open this address: ', ''));
    const without = await commandLine(words, { PATH: '/nowhere' });
    expect(without.stderr).to.match(/--open: no program xdg-open on PATH; open the address yourself/);
  });
});

describe('holdfast live --replay', function () {
  this.timeout(30_000);

  it('ends at a Ctrl-C that comes while it reads the history', () =>
    withHoldfast(['--version'], async ({ folder, ended }) => {
      await ended();
      const pipe = path.join(folder, 'history.ndjson');
      execFileSync('mkfifo', [pipe]);
      await withHoldfast(['live', '--replay', pipe, '--port', '0'], async holdfast => {
        // The pipe opens when the command reads it.
        const writer = await open(pipe, 'w');
        holdfast.child.kill('SIGINT');
        await holdfast.sees('stopping');
        await writeHistory(pipe, [await shortRun('sticky')], 'a');
        await writer.close();
        expect(await holdfast.ended(), holdfast.output.stderr).to.equal(130);
      });
    }));

  it('ends in the state of the report, answers from the history, and changes nothing', async () => {
    const run = await shortRun('sticky');
    const file = path.join(await mkdtemp(path.join(tmpdir(), 'holdfast-live-')), 'history.ndjson');
    await writeHistory(file, [run, { ...run, header: { ...run.header, mode: 'redis' } }]);
    await withHoldfast(['live', '--replay', file, '--port', '0'], async holdfast => {
      const { port, token } = await addressOf(holdfast);
      const watch = await Watch.open(port, token);
      await watch.until(() => watch.state?.left.stage === 'over' && watch.state.right?.stage === 'over');
      for (const side of [watch.state?.left, watch.state?.right]) {
        expect(side?.counts).to.deep.include(countsOfReport(run));
        expect(side?.strikes.map(({ state }) => state)).to.deep.equal(['healed']);
      }
      const command = await ask(port, paths.command, token, { method: 'POST', body: '{"do":"next-seed"}' });
      expect(JSON.parse(command.body).problems).to.have.length(1);
      const story = await ask(port, `${paths.story}?side=right&user=user-1`, token);
      expect(JSON.parse(story.body).file.stories.operations.id).to.have.length.greaterThan(3);
      expect((await ask(port, `${paths.export}report.html`, token)).body).to.include('logged out');
      expect((await ask(port, `${paths.export}scenario.yaml`, token)).status).to.equal(404);
      holdfast.child.kill('SIGTERM');
      expect(await holdfast.ended()).to.equal(130);
      await watch.ended();
      expect(watch.messages.at(-1)).to.deep.equal({ kind: 'over', reason: 'The command got SIGTERM.', files: [] });
    });
    await rm(path.dirname(file), { recursive: true, force: true });
  });
});
