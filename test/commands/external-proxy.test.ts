/** `--proxy` on the command line: what is refused and what is not applicable. */
import { mkdir, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { expect } from 'chai';
import { packageFile } from '#src/shared/package.js';
import { root } from './holdfast.js';
import { commandLine, type Said } from './in-process.js';

const killOne = packageFile('scenarios/kill-one.yaml');
const drainOne = packageFile('scenarios/drain-one.yaml');

/** Runs the command with files of a preset in a folder of their own. {preset} is the path of the preset. */
async function withPreset(files: Readonly<Record<string, string>>, ...words: readonly string[]): Promise<Said> {
  const folder = path.join(root, 'dist', `preset-${process.pid}`);
  await mkdir(folder, { recursive: true });
  try {
    for (const [name, text] of Object.entries(files)) await writeFile(path.join(folder, name), text);
    return await commandLine(words.map(word => word.replace('{preset}', path.join(folder, 'preset.yaml'))));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

describe('holdfast run --proxy', function () {
  this.timeout(60_000);

  for (const [what, files, code, said] of [
    ['an unknown name', undefined, 3, /unknown proxy "haproxi"\. Did you mean "haproxy"\?/],
    [
      'a mistake in a template',
      { 'preset.yaml': 'command: own {config}\nconfig: a.cfg', 'a.cfg': '\n{{prot}}' },
      3,
      /a\.cfg:2: found \{\{prot\}\}/,
    ],
    [
      'a program that is not installed',
      { 'preset.yaml': 'command: own\nprogram: no-such-proxy\npackages: { apt: own-proxy }' },
      4,
      /own needs the program no-such-proxy, which is not installed: install it with apt-get install own-proxy\./,
    ],
    [
      'a proxy that ends at once',
      { 'preset.yaml': 'command: "echo bad line 7 >&2; exit 2"\nname: own' },
      4,
      /proxy ended with code 2[\s\S]*bad line 7/,
    ],
    [
      'a proxy that goes into the background',
      { 'preset.yaml': 'command: sleep 30 & exit 0\nname: own' },
      4,
      /proxy ended with code 0 before [\s\S]*it must stay in the foreground/,
    ],
    [
      'a proxy that never listens',
      { 'preset.yaml': 'command: exec sleep 30\nready: { tcp: true, within: 300ms }' },
      4,
      /proxy did not answer on port \d+ within 0\.3 s/,
    ],
    [
      'a version that cannot be asked',
      {
        'preset.yaml': 'command: exec node server.mjs\nversion: exit 9',
        'server.mjs': "import http from 'node:http';\nhttp.createServer((_, a) => a.end()).listen(1);",
      },
      4,
      /the command of node "exit 9" ended with code 9/,
    ],
  ] as const)
    it(`ends with exit ${code} for ${what}, and leaves nothing behind`, async () => {
      const proxy = files === undefined ? 'haproxi' : '{preset}';
      const { left, ...end } = await withPreset(files ?? {}, 'run', killOne, '--mode', 'sticky', '--proxy', proxy);
      expect(end.code, end.stderr).to.equal(code);
      expect(end.stderr).to.match(said);
      expect(end.stderr, 'a stack is for bugs of Holdfast').to.not.match(/^ +at /m);
      expect(left.filter(name => name !== 'reports')).to.deep.equal([]);
    });

  it('ends with exit 2 and the reason if the proxy cannot do what the fault needs', async () => {
    const { code, stdout } = await commandLine(['run', drainOne, '--mode', 'sticky,redis', '--proxy', 'http-proxy']);
    expect(code).to.equal(2);
    expect(stdout).to.match(
      /sticky: not applicable: the proxy http-proxy has no way to drain a backend.*\(fault \S+ strikes backend-/,
    );
    expect(stdout).to.include('was not run with the proxy http-proxy');
  });

  it('says below the matrix why a scenario does not apply, once for all modes', async () => {
    const words = ['matrix', '--modes', 'sticky,redis', '--faults', 'drain-one', '--proxy', 'http-proxy'];
    const { code, stdout } = await commandLine(words);
    expect(code).to.equal(2);
    expect(
      stdout.match(/^drain-one: not applicable: the proxy http-proxy has no way to drain a backend/gm),
    ).to.have.length(1);
  });
});
