/** Tests of commands whose scenario strikes packets, so that they run again in a network of their own. */
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect } from 'chai';
import { packageFile } from '#src/shared/package.js';
import { type Holdfast, until, withHoldfast } from './holdfast.js';
import { commandLine } from './in-process.js';
import { short, written } from './ran.js';

const scenario = packageFile('scenarios/refuse-one.yaml');
const drop = '[{ id: drop, at: 0s, do: drop, target: proxy->backend-1, for: 1s }]';
const longDrop = short('', drop, '    - writes.phantom == 0', '500ms')
  .replace('count: 2', 'count: 1')
  .replace('faults: 1200ms', 'faults: 60s')
  .replace('for: 1s', 'for: 50s');

async function withStruckLab(use: (holdfast: Holdfast) => Promise<void>): Promise<void> {
  await withHoldfast(['run', await written(longDrop), '--mode', 'sticky'], async holdfast => {
    await holdfast.sees('fault drop confirmed', 30_000);
    await use(holdfast);
  });
}

/** Runs a command on a machine that allows no namespaces. */
async function withoutNamespaces(words: readonly string[]) {
  const folder = await mkdtemp(path.join(tmpdir(), 'holdfast-test-'));
  const unshare = path.join(folder, 'unshare');
  await writeFile(unshare, '#!/bin/sh\necho "unshare: unshare failed: Operation not permitted" >&2\nexit 1\n');
  await chmod(unshare, 0o755);
  const said = await commandLine(words, { PATH: `${folder}:${process.env.PATH}` });
  await rm(folder, { recursive: true });
  return said;
}

describe('a run in a network of its own', function () {
  this.timeout(60_000);

  it('heals and stops everything when its parent gets SIGINT, says so once, and exits with 130', () =>
    withStruckLab(async holdfast => {
      holdfast.child.kill('SIGINT');
      expect(await holdfast.ended(), holdfast.output.stderr).to.equal(130);
      expect(holdfast.output.stderr.match(/stopping: healing/g)).to.have.length(1);
      expect(holdfast.output.stderr).to.include('fault drop healed');
      expect(await holdfast.children()).to.deep.equal([]);
      expect(await holdfast.temporaryFiles()).to.deep.equal([]);
    }));

  it('stops everything when its parent is killed', () =>
    withStruckLab(async holdfast => {
      holdfast.child.kill('SIGKILL');
      await until(
        async () => (await holdfast.running()).length === 0,
        15_000,
        () => 'no process left',
      );
      expect(await holdfast.temporaryFiles()).to.deep.equal([]);
    }));
});

describe('a scenario that strikes packets', () => {
  const reason =
    'no packet can be lost, because the lab cannot have a network of its own: unshare: unshare failed: Operation not permitted';

  it('is not applicable, with the reason, to a run where namespaces are not allowed', async () => {
    const { code, stdout } = await withoutNamespaces(['run', scenario, '--mode', 'sticky']);
    expect(stdout).to.equal(
      `sticky: not applicable: ${reason} (fault refuse strikes proxy->backend-1)\n` +
        'scenario "refuse-one" was not run: it strikes packets, which is not possible here.\n',
    );
    expect(code).to.equal(2);
  });

  it('is not applicable, with the reason, to a matrix where namespaces are not allowed', async () => {
    const { code, stdout, left } = await withoutNamespaces(['matrix', '--faults', 'refuse', '--modes', 'sticky,redis']);
    expect(stdout).to.match(/refuse-one │ +· │ +· │/);
    expect(stdout).to.include(`refuse-one: not applicable: ${reason}\n`).and.include('so nothing was run');
    expect(code).to.equal(2);
    expect(left).to.deep.equal([]);
  });

  it('is refused beside a system that runs already, which its lab cannot reach', async () => {
    const running = await written(
      short('', '[]', '    - writes.lost == 0').replace(
        /system:[\s\S]*?users:/,
        'system: { target: http://127.0.0.1:9 }\nusers:',
      ),
    );
    const { code, stderr } = await commandLine(['run', scenario, running]);
    expect(stderr).to.match(/^holdfast: scenario "refuse-one" strikes packets .* system.target of scenario "short"/);
    expect(code).to.equal(3);
  });

  it('is refused with a store of the user, which its lab cannot reach', async () => {
    const { code, stderr } = await commandLine(['run', scenario, '--redis-url', 'redis://127.0.0.1:6379']);
    expect(code).to.equal(3);
    expect(stderr).to.match(
      /^holdfast: --redis-url names your own server, which cannot be reached: scenario "refuse-one"/,
    );
  });
});
