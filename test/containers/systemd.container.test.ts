import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect } from 'chai';
import { answersOk, waitUntil } from '#src/simulator/cluster/probe.js';
import { freePort } from '#src/simulator/cluster/processes/free-port.js';
import { strikeMember } from './strike-members.js';
import { tree } from './with-podman.js';

const target = '[Unit]\nDefaultDependencies=no\n';
/** The name of an instance is its port. */
const service = `[Unit]
DefaultDependencies=no
[Service]
Environment=PORT=%i HOST=127.0.0.1 BACKEND_ID=shop-%i HOLDFAST_MODE=sticky
ExecStart=${process.execPath} ${path.join(tree, 'dist/backends/shop.js')}
`;

describe('units of a real systemd', function () {
  this.timeout(60_000);
  const usualPath = process.env.PATH;
  let folder: string;
  let systemd: ChildProcess;
  let units: readonly string[];

  before(async () => {
    folder = mkdtempSync(path.join(tmpdir(), 'holdfast-systemd-'));
    writeFileSync(path.join(folder, 'shops.target'), target);
    writeFileSync(path.join(folder, 'shop@.service'), service);
    const script = path.join(tree, 'test/containers/run-systemd.sh');
    const words = ['--mount', '--pid', '--fork', '--kill-child', '--mount-proc', 'sh', script, folder];
    systemd = spawn('unshare', words, { stdio: 'ignore' });
    const children = `/proc/${systemd.pid}/task/${systemd.pid}/children`;
    const first = () => readFileSync(children, 'utf8').trim();
    expect(await waitUntil(async () => first() !== '', 5_000), 'unshare began').to.equal(true);
    // Commands of the driver find the programs of this namespace first.
    mkdirSync(path.join(folder, 'bin'));
    for (const program of ['systemctl', 'ps']) {
      const file = path.join(folder, 'bin', program);
      writeFileSync(file, `#!/bin/sh\nexec nsenter --target ${first()} --mount --pid /bin/${program} "$@"\n`);
      chmodSync(file, 0o755);
    }
    process.env.PATH = `${path.join(folder, 'bin')}:${usualPath}`;
    const isUp = async () => isQuiet('systemctl', ['list-units']);
    expect(await waitUntil(isUp, 10_000), 'systemd answers').to.equal(true);
    const ports = await Promise.all([freePort(), freePort(), freePort()]);
    units = ports.map(port => `shop@${port}.service`);
    for (const [index, unit] of units.entries()) {
      execFileSync('systemctl', ['start', unit]);
      const url = `http://127.0.0.1:${ports[index]}/health`;
      expect(await waitUntil(() => answersOk(url, 500), 10_000), unit).to.equal(true);
    }
  });

  after(async () => {
    process.env.PATH = usualPath;
    const ended = new Promise(resolve => systemd.once('exit', resolve));
    if (systemd.exitCode === null && systemd.kill('SIGKILL')) await ended;
    rmSync(folder, { recursive: true, force: true });
  });

  for (const [action, number, seen] of [
    ['kill', 2, 'failed'],
    ['hang', 1, 'active'],
    ['stop', 1, 'inactive'],
  ] as const)
    it(`are struck by ${action}, the oldest first, and healed`, async () => {
      const { problem, evidence, struck, healedMs } = await strikeMember('systemd', {
        selector: 'shop@*.service',
        action,
        target: `member-${number}`,
      });
      expect(problem).to.equal(undefined);
      expect(struck).to.equal(units[number - 1]);
      expect(evidence).to.contain(`is ${struck}: alive before, not alive after "${action}" (${seen})`);
      expect(healedMs).to.be.a('number');
      const url = `http://127.0.0.1:${struck?.replace(/\D/g, '')}/health`;
      expect(await waitUntil(() => answersOk(url, 500), 10_000)).to.equal(true);
    });
});

function isQuiet(program: string, args: readonly string[]): boolean {
  try {
    execFileSync(program, args, { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}
