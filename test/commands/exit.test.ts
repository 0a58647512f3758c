import { spawnSync } from 'node:child_process';
import { expect } from 'chai';

describe('a command that was interrupted', () => {
  it('does not wait for what goes on looking, and answers with its exit code', () => {
    const from = (module: string) => JSON.stringify(new URL(`../../${module}`, import.meta.url).href);
    const code = `
      const { exiting } = await import(${from('commands/exit.js')});
      const { Interrupted } = await import(${from('simulator/errors.js')});
      setInterval(() => undefined, 100);
      await exiting(async () => { throw new Interrupted(); })();`;
    const began = performance.now();
    const { status, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', code], {
      encoding: 'utf8',
      timeout: 10_000,
    });
    expect(status, stderr).to.equal(130);
    expect(performance.now() - began).to.be.lessThan(9_000);
  });
});
