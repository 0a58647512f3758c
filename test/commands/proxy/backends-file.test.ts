import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect } from 'chai';
import { checkBackend } from '#src/commands/proxy/options.js';
import { readBackendsFile } from '#src/commands/proxy/settings.js';
import { ask, cookieOf, viewsOf } from '../../proxy/ask.js';
import { withToys } from '../../proxy/toy-backend.js';
import { withHoldfast } from '../holdfast.js';

async function withFile(text: string, use: (file: string) => Promise<void> | void): Promise<void> {
  const folder = await mkdtemp(path.join(tmpdir(), 'holdfast-backends-'));
  const file = path.join(folder, 'backends.yaml');
  try {
    await writeFile(file, text);
    await use(file);
  } finally {
    await rm(folder, { recursive: true });
  }
}

const bad: readonly (readonly [what: string, text: string, says: string | RegExp])[] = [
  ['nothing', '', 'expected a list of backends'],
  ['an empty list', '[]', 'expected a list of backends'],
  ['a mapping', 'backend: http://a:1', 'expected a list of backends'],
  ['a mapping in the list', '- url: http://a:1', ':1:3: expected a text such as http://10.0.0.1:3001'],
  ['no origin', '- http://a:1\n- a:1/x', /backends\.yaml:2:3: --backend "a:1\/x": expected an origin/],
  ['a bad weight', '- http://a:1,weight=x', /:1:3: --backend .*a whole number/],
];

describe('--backends-file', function () {
  // Two workers take long to start on a busy machine.
  this.timeout(60_000);

  it('is a list of what --backend takes', () =>
    withFile('- red=http://a:1\n- http://b:1,weight=3 # spare\n', file => {
      expect(readBackendsFile(file, checkBackend)).to.deep.equal(['red=http://a:1', 'http://b:1,weight=3']);
    }));

  for (const [what, text, says] of bad) {
    it(`refuses ${what}, with the place`, () =>
      withFile(text, file => {
        expect(() => readBackendsFile(file, checkBackend)).to.throw(says);
      }));
  }

  it('refuses a file that is not there', () => {
    expect(() => readBackendsFile('/dev/null/x', checkBackend)).to.throw('--backends-file "/dev/null/x": ENOTDIR');
  });

  for (const workers of ['1', '2']) {
    it(`adds and removes backends when it changes, and keeps those of a broken file (workers: ${workers})`, () =>
      withToys([undefined, undefined, undefined], (one, two, three) =>
        withFile(`- one=${one.url.origin}\n- two=${two.url.origin}\n`, file =>
          withHoldfast(
            ['proxy', '--backends-file', file, '--port=0', '--admin-port=0', `--workers=${workers}`],
            async ({ sees, output, child, ended }) => {
              await sees(/listening on /);
              const [, url = '', admin = ''] = /listening on (\S+), admin API on (\S+)/.exec(output.stderr) ?? [];
              const names = async () => (await viewsOf(admin)).map(({ name }) => name);
              const change = async (text: string) => {
                await writeFile(`${file}.new`, text);
                await rename(`${file}.new`, file);
              };
              expect(await names()).to.deep.equal(['one', 'two']);
              let cookie: string | undefined;
              for (let served = ''; served !== 'backend-1'; ) {
                const answer = await ask(url, '/');
                [served, cookie] = [answer.text, cookieOf(answer)];
              }
              await change(`- one=${one.url.origin}\n- three=${three.url.origin}\n`);
              await sees(/reloaded: three \(\S+\) added, two \(\S+\) removed/);
              expect(await names()).to.deep.equal(['one', 'three']);
              expect((await ask(url, '/', { headers: { cookie } })).text).to.equal('backend-1');
              await change('- one=nonsense\n');
              await sees(/not reloaded, nothing has changed: \S+backends\.yaml:1:3: --backend "nonsense": expected/);
              expect(await names()).to.deep.equal(['one', 'three']);
              child.kill('SIGTERM');
              expect(await ended(), output.stderr).to.equal(0);
            },
          ),
        ),
      ));
  }
});
