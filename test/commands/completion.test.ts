import { execFile } from 'node:child_process';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { expect } from 'chai';
import { attacks } from '#src/attacks/attacks/registry.js';
import { rows } from '#src/conformance/rows/registry.js';
import { modeNames } from '#src/modes.js';
import { routingPolicies } from '#src/proxy/routing-policies.js';
import { reporters } from '#src/report/reporters/registry.js';
import { presetNames } from '#src/shared/package.js';
import { faults } from '#src/simulator/faults/kinds/registry.js';
import { root } from './holdfast.js';
import { commandLine } from './in-process.js';

/** Returns what the words of an unfinished command line can become. The last word is unfinished. */
async function candidates(...words: readonly string[]): Promise<readonly string[]> {
  const { code, stdout, stderr } = await commandLine(['--get-yargs-completions', ...words]);
  expect({ code, stderr }).to.deep.equal({ code: 0, stderr: '' });
  return stdout.split('\n').filter(line => line !== '');
}

describe('completion', function () {
  this.timeout(20_000);

  for (const [title, words, expected] of [
    ['commands', ['ru'], ['run']],
    ['commands after the name of the program, as bash sends it', ['holdfast', 'comp'], ['completion']],
    ['the flags of the program', ['--v'], ['--version']],
    ['a flag', ['run', '--se'], ['--seed']],
    ['no flag that is there already', ['run', '--seed', '3', '--se'], []],
    ['no place of a command as a flag', ['run', '--scen'], []],
    ['a mode', ['run', '--mode', 'r'], ['redis']],
    [
      'a further mode after a comma',
      ['run', '--mode', 'sticky,redis,'],
      modeNames.slice(2).map(mode => `sticky,redis,${mode}`),
    ],
    ['a mode after =, in one word', ['run', '--mode=re'], ['--mode=redis']],
    ['a mode after =, as bash parts it', ['run', '--mode', '=', 're'], ['redis']],
    ['a scenario', ['run', 'kill'], ['kill-one']],
    ['a second scenario', ['run', 'kill-one', 'hang'], ['hang-one']],
    ['files of the user, which the shell offers', ['run', './sc'], []],
    ['a value of a flag without names', ['run', '--seed', ''], []],
    ['a tool', ['doctor', '--install', 'mem'], ['memcached']],
    ['a shell', ['completion', 'z'], ['zsh']],
    ['nothing for an unknown command', ['rum', '--mode', 'r'], []],
  ] as const)
    it(`offers ${title}`, async () => {
      expect(await candidates(...words)).to.have.members(
        title === 'a value of a flag without names' ? await candidates('run', '') : expected,
      );
    });

  it('offers every name of the registries', async () => {
    expect(await candidates('live', '--modes', '')).to.deep.equal(modeNames);
    expect(await candidates('matrix', '--faults', '')).to.include.members(Object.keys(faults));
    expect(await candidates('run', '--proxy', '')).to.have.members([...presetNames()]);
    expect(await candidates('attack', '--attack', '')).to.include.members(Object.keys(attacks));
    expect(await candidates('conformance', '--row', '')).to.have.members(Object.keys(rows));
    expect(await candidates('proxy', '--policy', '')).to.have.members(Object.keys(routingPolicies));
    const files = Object.keys(reporters).filter(name => ['json', 'html', 'junit'].includes(name));
    expect(await candidates('run', '--')).to.include.members(files.map(name => `--${name}`));
  });

  it('works in a real bash, in less than 300 ms of CPU', async () => {
    const folder = await mkdtemp(path.join(tmpdir(), 'holdfast-test-'));
    try {
      const program = path.join(folder, 'holdfast');
      await writeFile(program, `#!/bin/sh\nexec "${process.execPath}" "${root}/dist/cli.js" "$@"\n`);
      await chmod(program, 0o755);
      const text = `eval "$(holdfast completion bash)"
        complete -p holdfast
        COMP_WORDS=(holdfast run --mode r) COMP_CWORD=3
        _holdfast_yargs_completions
        echo "found: \${COMPREPLY[*]}"
        times
        holdfast --get-yargs-completions holdfast run --mode r
        times`;
      const env = { ...process.env, PATH: `${folder}:${process.env.PATH}`, LC_ALL: 'C' };
      const { stdout } = await promisify(execFile)('bash', ['--norc', '-c', text], { env });
      expect(stdout).to.match(/^complete .*-F _holdfast_yargs_completions holdfast\nfound: redis\n/);
      // Each time bash prints a line for itself and a line for what it has started.
      const times = [...stdout.matchAll(/^\d+m([\d.]+)s \d+m([\d.]+)s$/gm)];
      const seconds = times.map(([, user, system]) => Number(user) + Number(system));
      const [, before = 0, , after = 0] = seconds;
      expect(seconds).to.have.length(4);
      expect(after - before).to.be.within(0.01, 0.3);
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  for (const shell of ['bash', 'zsh'])
    it(`prints the script for ${shell}, whatever SHELL is, and leaves the environment as it was`, async () => {
      const env = { SHELL: '/bin/fish', ZSH_NAME: 'zsh' };
      const { code, stdout } = await commandLine(['completion', shell], env);
      expect(code).to.equal(0);
      expect(/^#compdef holdfast/.test(stdout)).to.equal(shell === 'zsh');
      expect(stdout).to.include('holdfast --get-yargs-completions');
    });

  it('refuses a shell that it does not know', async () => {
    const { code, stderr } = await commandLine(['completion', 'csh']);
    expect(code).to.equal(3);
    expect(stderr).to.match(/expected one of "bash", "zsh"/);
  });
});
