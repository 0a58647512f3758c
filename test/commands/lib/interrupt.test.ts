import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdir } from 'node:fs/promises';
import path from 'node:path';
import { text as readText } from 'node:stream/consumers';
import { setTimeout as delay } from 'node:timers/promises';
import { expect } from 'chai';
import { packageFile } from '#src/shared/package-file.js';
import { sendSignal } from '#src/simulator/cluster/processes/process-family.js';
import { type Holdfast, withHoldfast } from '../holdfast.js';
import { written } from '../ran.js';

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
    const code = `import { runInterruptibly } from '#src/commands/lib/interrupt.js';
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
    const code = `import { runInterruptibly } from '#src/commands/lib/interrupt.js';
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
