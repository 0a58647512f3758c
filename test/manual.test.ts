import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { expect } from 'chai';
import { packageFile } from '#src/shared/package.js';

const file = packageFile('man/holdfast.1');

/** Tests how the manual is written. test/readme.test.ts checks that it is up to date. */
describe('the manual page', () => {
  const { status, stdout, stderr } = spawnSync('groff', ['-man', '-Tutf8', '-ww', '-P-cbou', file], {
    encoding: 'utf8',
  });

  it('is formatted without a warning', () => {
    expect({ status, stderr }).to.deep.equal({ status: 0, stderr: '' });
  });

  it('shows each command with its flags, its examples and the exit codes', () => {
    const help = readFileSync(packageFile('docs/cli.md'), 'utf8');
    const commands = [...help.matchAll(/^```\n(holdfast .*)$/gm)].map(([, usage = '']) => usage);
    expect(commands.length).to.be.greaterThan(12);
    expect(commands.filter(usage => !stdout.includes(`\n   ${usage}\n`))).to.deep.equal([]);
    expect(stdout)
      .to.match(/\n {7}--grace\n|\n {7}--grace +\S/)
      .and.include('holdfast live --replay reports/kill-one/latest');
    expect(stdout).to.match(/EXIT STATUS\n {7}0 +all expectations met\n/);
    expect(stdout).to.include('users’ sessions');
  });

  it('is named by package.json, so that npm installs it', () => {
    expect(JSON.parse(readFileSync(packageFile('package.json'), 'utf8'))).to.include({ man: 'man/holdfast.1' });
  });
});
