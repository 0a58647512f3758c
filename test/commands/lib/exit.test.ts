import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import { createServer } from 'node:net';
import { expect } from 'chai';
import { usageSentence } from '#src/commands/lib/exit.js';
import { packageFile } from '#src/shared/package-file.js';
import { withHoldfast } from '../holdfast.js';

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
      const said = usageSentence(message, known, ['proxy', '--backend', 'http://a:1', 'http://b:1']);
      if (typeof sentence === 'string') expect(said).to.equal(sentence);
      else expect(said).to.match(sentence);
    });
  }
});
