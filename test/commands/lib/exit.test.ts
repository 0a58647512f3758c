import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { createServer } from 'node:net';
import path from 'node:path';
import { text as readText } from 'node:stream/consumers';
import { setTimeout as delay } from 'node:timers/promises';
import { expect } from 'chai';
import { describeUsageProblem } from '#src/commands/lib/exit.js';
import { packageFile } from '#src/shared/package.js';
import { sendSignal } from '#src/simulator/cluster/processes/process-family.js';
import { type Holdfast, withHoldfast } from '../holdfast.js';
import { written } from '../ran.js';

describe('a command that was interrupted', () => {
  it('does not wait for pending work, and exits with its exit code', () => {
    const from = (module: string) => JSON.stringify(import.meta.resolve(`#src/${module}`));
    const code = `
      const { toHandler, flushAndExit } = await import(${from('commands/lib/exit.js')});
      const { Interrupted } = await import(${from('simulator/errors.js')});
      setInterval(() => undefined, 100);
      await toHandler(async () => { throw new Interrupted(); })();
      await flushAndExit();`;
    const began = performance.now();
    const { status, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', code], {
      encoding: 'utf8',
      timeout: 10_000,
    });
    expect(status, stderr).to.equal(130);
    expect(performance.now() - began).to.be.lessThan(9_000);
  });
});

it('exits with 0 on SIGTERM without waiting for the first answer of a hanging backend', async () => {
  const hanging = createServer().listen(0, '127.0.0.1');
  const asked = new Promise(resolve => hanging.once('connection', resolve));
  await once(hanging, 'listening');
  const address = hanging.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  const args = ['--backend', `http://127.0.0.1:${port}`, '--health-timeout', '1h', '--port', '0', '--admin-port', '0'];
  await withHoldfast(['proxy', ...args], async holdfast => {
    await asked;
    holdfast.child.kill('SIGTERM');
    expect(await holdfast.ended(), holdfast.output.stderr).to.equal(0);
    expect(holdfast.output.stderr).not.to.match(/listening|holdfast:/);
  });
  hanging.close();
});

it('keeps its exit code when stderr cannot be written because the disk is full', () => {
  const cli = packageFile('dist/cli.js');
  const full = openSync('/dev/full', 'w');
  const { status } = spawnSync(process.execPath, [cli, 'proxy', '--port'], { stdio: ['ignore', 'ignore', full] });
  closeSync(full);
  expect(status).to.equal(3);
});

describe('messages about a wrong command line', () => {
  const known = ['seed', 'health-path', 'port'];
  for (const [message, sentence] of [
    ['Unknown argument: sede', 'unknown flag --sede. Did you mean --seed?'],
    ['Unknown arguments: health-pth, healthPth', 'unknown flag --health-pth. Did you mean --health-path?'],
    ['Unknown arguments: a-b, aB, nothing', 'unknown flag --a-b. unknown flag --nothing.'],
    ['Unknown arguments: aB, other', 'unknown flag --aB. unknown flag --other.'],
    ['Invalid values:\n  Argument: x-y, Given: "q", Choices: "on", "off"', '--x-y "q": expected one of "on", "off".'],
    ['Not enough arguments following: port', '--port needs a value.'],
    ['Unknown argument: http://b:1', /^"http:\/\/b:1" belongs to no flag: /],
    ['which command?', 'which command?'],
  ] as const) {
    it(String(sentence), () => {
      const said = describeUsageProblem(message, known, ['proxy', '--backend', 'http://a:1', 'http://b:1']);
      if (typeof sentence === 'string') expect(said).to.equal(sentence);
      else expect(said).to.match(sentence);
    });
  }
});

/** A scenario with one backend that could be left behind, and a fault that lasts longer than the test. */
const scenario = (id: string, fault: 'hang' | 'kill', target: string) => `
name: interrupted
why: What is left when it does not come to its end.
modes: [redis, postgres]
system: { backends: { count: 1 } }
users: { arrivals: { rate: 10/s, for: 1s }, think: { median: 250ms, p95: 1s }, timeout: 1s }
phases: { warmup: 300ms, baseline: 300ms, faults: 20s, recovery: 300ms, quiesce: 100ms }
faults: [{ id: ${id}, at: 100ms, do: ${fault}, target: ${target}, for: 15s }]
expect: { any: [users.identitySwapped == 0] }
`;
const hang = scenario('hang', 'hang', 'backend-1');
const outage = scenario('outage', 'kill', 'postgres');

/** The progress lines at which the test sends Ctrl-C. simulate.long.test.ts tests every phase. */
const moments = [
  { at: 'starting', text: outage, mode: 'postgres' },
  { at: 'fault outage confirmed', text: outage, mode: 'postgres' },
];

describe('Ctrl-C', function () {
  this.timeout(40_000);

  for (const { at, text, mode } of moments) {
    it(`at "${at}" in ${mode} heals the fault, leaves nothing behind and exits with 130`, () =>
      withRun(text, mode, async holdfast => {
        await holdfast.sees(at);
        holdfast.child.kill('SIGINT');
        expect(await holdfast.ended(), holdfast.output.stderr).to.equal(130);
        expect(await holdfast.children()).to.deep.equal([]);
        expect(await holdfast.temporaryFiles()).to.deep.equal([]);
        expect(await readdir(path.join(holdfast.folder, 'reports'))).to.deep.equal([]);
      }));
  }

  it('pressed twice ends the command at once and leaves nothing behind', () =>
    withRun(hang, 'redis', async holdfast => {
      await holdfast.sees('fault hang confirmed');
      holdfast.child.kill('SIGINT');
      await holdfast.sees('stopping');
      await delay(250); // Two signals in quick succession count as one key press.
      holdfast.child.kill('SIGINT');
      expect(await holdfast.ended()).to.equal(130);
      expect(await holdfast.children()).to.deep.equal([]);
      expect(await holdfast.temporaryFiles()).to.deep.equal([]);
    }));

  it('or even kill -9 leaves no child and no temporary folder behind', () =>
    withRun(hang, 'redis', async holdfast => {
      await holdfast.sees('fault hang confirmed');
      holdfast.child.kill('SIGKILL');
      await holdfast.ended();
      expect(await holdfast.children()).to.deep.equal([]);
      expect(await holdfast.temporaryFiles()).to.deep.equal([]);
    }));

  it('ends a command at once after it has let go, even while it computes', async () => {
    const code = `import { runInterruptibly } from '#src/commands/lib/exit.js';
      await runInterruptibly(async (_signal, _takeOver, letGo) => {
        await letGo();
        process.stdout.write('computing');
        for (;;);
      });`;
    const child = spawn(process.execPath, ['--input-type=module', '--eval', code], {
      cwd: packageFile('.'),
      stdio: ['ignore', 'pipe', 'inherit'],
      timeout: 10_000,
      killSignal: 'SIGKILL',
    });
    await once(child.stdout, 'data');
    child.kill('SIGINT');
    expect(await once(child, 'exit')).to.deep.equal([null, 'SIGINT']);
  });

  it('ends a matrix while its processes wait for their turn', () =>
    withHoldfast(['matrix', '--faults', 'postgres-outage', '--at-once', '4'], async holdfast => {
      await holdfast.sees('begun');
      await delay(300);
      holdfast.child.kill('SIGINT');
      expect(await holdfast.ended(), holdfast.output.stderr).to.equal(130);
      expect(await holdfast.children()).to.deep.equal([]);
      expect(await holdfast.temporaryFiles()).to.deep.equal([]);
    }));

  it('ends a load', () =>
    withHoldfast(['load', '--mode', 'redis', '--connections', '4', '--duration', '20'], async holdfast => {
      await holdfast.sees('redis, direct');
      holdfast.child.kill('SIGINT');
      expect(await holdfast.ended(), holdfast.output.stderr).to.equal(130);
      expect(await holdfast.children()).to.deep.equal([]);
      expect(await holdfast.temporaryFiles()).to.deep.equal([]);
    }));
});

describe('a command after the end of its parent', () => {
  let pids: readonly number[] = [];

  afterEach(() => {
    for (const pid of pids) sendSignal(pid, 'SIGKILL');
  });

  it('stops as after SIGTERM if that was the shell of npx holdfast, and otherwise goes on', async () => {
    const [ofNpx, other] = [startInShell("'holdfast'"), startInShell('start-proxy')];
    pids = await Promise.all([ofNpx, other].map(({ pid }) => pid));
    // npm does this when it gets SIGTERM.
    for (const { shell } of [ofNpx, other]) shell.kill('SIGTERM');
    expect(await ofNpx.said).to.equal(`${pids[0]} SIGTERM`);
    process.kill(pids[1] ?? 0, 'SIGINT');
    expect(await other.said).to.equal(`${pids[1]} SIGINT`);
  }).timeout(10_000);

  /** Starts a process as `npx` does. It writes its id, waits for a signal, and writes the name of the signal. */
  function startInShell(script: string) {
    const code = `import { runInterruptibly } from '#src/commands/lib/exit.js';
      await runInterruptibly(async signal => {
        const timer = setInterval(() => {}, 1_000);
        process.stdout.write(String(process.pid));
        await new Promise(resolve => signal.addEventListener('abort', resolve));
        clearInterval(timer);
        process.stdout.write(' ' + signal.reason);
      });`;
    const shell = spawn('sh', ['-c', '"$0" "$@"; exit', process.execPath, '--input-type=module', '--eval', code], {
      cwd: packageFile('.'),
      env: { ...process.env, npm_lifecycle_event: 'npx', npm_lifecycle_script: script },
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    return { shell, pid: once(shell.stdout, 'data').then(Number), said: readText(shell.stdout) };
  }
});

async function withRun(text: string, mode: string, work: (holdfast: Holdfast) => Promise<void>): Promise<void> {
  await withHoldfast(['run', await written(text), '--mode', mode], work);
}
