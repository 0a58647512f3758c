import { expect } from 'chai';
import yargs from 'yargs';
import { commands } from '#src/command-line.js';
import { flagsOf } from '#src/commands/lib/flags.js';
import { commandLine } from '../in-process.js';

/** Words after `holdfast proxy`, and the expected message. */
const rows: readonly [words: string, says: string][] = [
  ['--no-host', '--no-host: --host takes a value and cannot be switched off'],
  ['--backend-insecure=yes', '--backend-insecure: expected no value, or true or false, not "yes"'],
  ['--forwarded --no-forwarded', '--forwarded is given more than once'],
  ['--admin-port 1 --adminPort 2', '--admin-port is given more than once'],
  ['--backend http://a:2 http://b:2', '"http://b:2" belongs to no flag'],
  ['-- --port 80', '"--port": proxy takes only flags, and words after -- are not flags'],
  ['-port 80', '-port: a flag begins with two dashes, as in --port'],
  ['--port.x=3', 'unknown flag --port.x'],
  ['--port', '--port needs a value'],
  ['--backend http://a:0', '--backend "http://a:0"'],
  ['--backends 1 --access-log -', '--access-log "-": the proxy of a lab has no stdout'],
  ['--health-path //elsewhere/x', '--health-path "//elsewhere/x"'],
];

describe('mistakes that yargs would accept', () => {
  for (const [words, says] of rows) {
    it(`exits with 3 for proxy ${words}`, async () => {
      const backend = words.startsWith('--backends') ? [] : ['--backend', 'http://a:1'];
      const { code, stderr } = await commandLine(['proxy', ...backend, ...words.split(' ')]);
      expect(stderr).to.include(says);
      expect(code).to.equal(3);
    });
  }
});

describe('the flags of every command', () => {
  it('refuse text where they expect a number', async () => {
    const found: string[] = [];
    for (const [name, load] of Object.entries(commands)) {
      const { builder } = await load();
      const built = yargs([]);
      if (typeof builder === 'function') await builder(built);
      for (const flag of flagsOf(built).numbers) {
        const { code, stderr } = await commandLine([name, `--${flag}`, 'abc']);
        expect({ code, stderr }, name).to.deep.equal({
          code: 3,
          stderr: `holdfast: --${flag}: expected a number, not "abc".\n`,
        });
        found.push(`${name} --${flag}`);
      }
    }
    expect(found).to.include.members(['hunt --minutes', 'run --seed', 'proxy --port', 'live --users', 'record --port']);
  });

  for (const name of Object.keys(commands))
    it(`${name} names an unknown flag, even if something is missing`, async () => {
      const { code, stderr } = await commandLine([name, '--hepl', 'x']);
      expect(stderr).to.equal(
        `holdfast: unknown flag --hepl. Did you mean --help? See: node dist/cli.js ${name} --help\n`,
      );
      expect(code).to.equal(3);
    });

  for (const [words, says] of [
    ['run --mdoe x', 'unknown flag --mdoe. Did you mean --mode?'],
    ['run --mdoe x --sede 1', 'unknown flag --mdoe. Did you mean --mode? unknown flag --sede. Did you mean --seed?'],
    ['hunt -minuts 5', 'unknown flag -minuts. Did you mean --minutes?'],
    ['proxy --no-forwardd', 'unknown flag --no-forwardd. Did you mean --forwarded?'],
  ] as const)
    it(`are named with the nearest one for ${words}`, async () => {
      const { code, stderr } = await commandLine(words.split(' '));
      expect(stderr).to.include(says);
      expect(code).to.equal(3);
    });
});
