import { expect } from 'chai';
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
