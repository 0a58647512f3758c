import { expect } from 'chai';
import { commandLine, nameProgram } from '#src/shared/package.js';

describe('programName', () => {
  for (const [what, root, startedAs, name] of [
    ['node dist/cli.js in a clone', '/home/anna/holdfast', '/home/anna/holdfast/dist/cli.js', 'node dist/cli.js'],
    [
      'node dist/cli.js in a clone whose path only resembles an installation',
      '/home/anna/node_modules.old/holdfast',
      '/usr/local/bin/holdfast',
      'node dist/cli.js',
    ],
    [
      'npx holdfast in a project',
      '/srv/app/node_modules/holdfast',
      '/srv/app/node_modules/.bin/holdfast',
      'npx holdfast',
    ],
    [
      'npx holdfast for a program that was started by its path',
      '/srv/app/node_modules/holdfast',
      '/srv/app/node_modules/holdfast/dist/cli.js',
      'npx holdfast',
    ],
    [
      'holdfast for a global installation',
      '/usr/local/lib/node_modules/holdfast',
      '/usr/local/bin/holdfast',
      'holdfast',
    ],
  ] as const) {
    it(`is ${what}`, () => {
      expect(nameProgram(root, startedAs)).to.equal(name);
    });
  }

  it('quotes the words of a command line that a shell would change', () => {
    expect(commandLine('run', 'kill-one', '--mode', 'jwt,redis')).to.equal(
      'node dist/cli.js run kill-one --mode jwt,redis',
    );
    expect(commandLine('check', 'my app/$HOME.yaml')).to.equal("node dist/cli.js check 'my app/$HOME.yaml'");
    expect(commandLine('run', "anna's.yaml")).to.equal("node dist/cli.js run 'anna'\\''s.yaml'");
  });
});
