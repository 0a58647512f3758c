import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect } from 'chai';
import { packageFile } from '#src/shared/package.js';
import { withHoldfast } from './holdfast.js';
import { commandLine } from './in-process.js';

const program = packageFile('dist/test/conformance/programs/broken-proxy.js');
const template = 'listen {{port}}\ndefect none\n{{#backends}}\nbackend {{name}} {{port}}\n{{/backends}}\n';

/** Writes a preset with these lines beside a template, and hands its path over. */
async function withPreset(lines: readonly string[], body: (file: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(path.join(tmpdir(), 'holdfast-preset-'));
  const file = path.join(folder, 'preset.yaml');
  try {
    await writeFile(path.join(folder, 'proxy.conf.tmpl'), template);
    await writeFile(file, ['name: small', 'config: proxy.conf.tmpl', ...lines, ''].join('\n'));
    await body(file);
  } finally {
    await rm(folder, { recursive: true });
  }
}

const start = `command: exec ${process.execPath} ${program} {config}`;

describe('holdfast conformance', () => {
  for (const [title, words, code, message] of [
    ['an unknown row', ['--row', 'kiled'], 3, /unknown row "kiled"\. Did you mean "killed"\?/],
    ['an unknown proxy', ['--proxy', 'haproxi'], 3, /unknown proxy "haproxi"\. Did you mean "haproxy"\?/],
    ['a file that is not there', ['--proxy', './none.yaml'], 3, /none\.yaml/],
    ['a number of experiments below 1', ['--at-once', '0'], 3, /--at-once: expected a whole number from 1 to 8/],
    ['an output folder that is not there', ['--json', 'none/c.json'], 3, /the folder "none" is not writable/],
  ] as const) {
    it(`refuses ${title}`, async () => {
      const said = await commandLine(['conformance', ...words]);
      expect(said.stderr).to.match(message);
      expect({ code: said.code, left: said.left }).to.deep.equal({ code, left: [] });
    });
  }

  it('says which program is missing and how to install it', async () => {
    await withPreset([start, 'program: no-such-proxy', 'packages: { apt: no-such-package }'], async file => {
      const said = await commandLine(['conformance', '--proxy', file, '--row', 'first-visit']);
      expect(said.stderr).to.match(/small needs the program no-such-proxy.*apt-get install no-such-package/);
      expect({ code: said.code, left: said.left }).to.deep.equal({ code: 4, left: [] });
    });
  });

  it('ends with 4 and leaves nothing when the proxy does not start', async () => {
    await withPreset(['command: exec false', 'ready: { within: 1s }'], async file => {
      await withHoldfast(['conformance', '--proxy', file, '--row', 'first-visit', '--at-once', '1'], async holdfast => {
        const code = await holdfast.ended();
        expect(holdfast.output.stderr).to.match(/proxy ended with code 1 before it answered/);
        expect([code, await holdfast.children(), await holdfast.temporaryFiles()]).to.deep.equal([4, [], []]);
      });
    });
  });

  it('leaves nothing after kill -9', async () => {
    await withPreset([start], async file => {
      await withHoldfast(
        ['conformance', '--proxy', file, '--row', 'first-visit,return', '--at-once', '2'],
        async holdfast => {
          // Another experiment is under way.
          await holdfast.sees('conformance 1 of 4');
          holdfast.child.kill('SIGKILL');
          await holdfast.ended();
          expect([await holdfast.children(), await holdfast.temporaryFiles()]).to.deep.equal([[], []]);
        },
      );
    });
  });

  it('writes the table, the exchanges and the pages for a proxy of your own', async () => {
    await withPreset([start], async file => {
      const reports = ['--json', 'c.json', '--html', 'c.html', '--markdown', 'table.md'];
      await withHoldfast(
        ['conformance', '--proxy', file, '--row', 'first-visit,cut-chunked', ...reports],
        async run => {
          const code = await run.ended();
          const read = (name: string) => readFile(path.join(run.folder, name), 'utf8');
          expect([code, await run.children(), await run.temporaryFiles()]).to.deep.equal([0, [], []]);
          expect(run.output.stdout)
            .to.match(/first visit +│ kept/)
            .and.to.match(/cut answer, chunked +│ cut passed on/);

          const { schema, rows, experiments } = JSON.parse(await read('c.json'));
          const cut = rows.find(({ row }: { row: string }) => row === 'cut-chunked').cells[0];
          expect([schema, cut.proxy, cut.method, cut.kind]).to.deep.equal([1, 'small', 'GET', 'error']);
          const { exchanges, carriedOut } = experiments.find(({ row }: { row: string }) => row === 'cut-chunked');
          const isShown = ({ id }: { id: string }) => id === cut.decisive;
          expect(exchanges.find(isShown)).to.include({ failure: 'closed', phase: 'cut' });
          expect(carriedOut.find(isShown)).to.include({ method: 'GET', memory: 'known' });

          expect(await read('table.md')).to.include('| first visit | [kept](table/small.md#first-visit) |');
          const page = await read('table/small.md');
          expect(page).to.include('## first visit').and.to.include('Configuration: ');
          expect(page).to.match(/> GET \/cut\?framing=chunked&end=fin HTTP\/1\.1\n> host: 127\.0\.0\.1:PORT/);
          expect(page).to.include('(the answer ends here, cut off: closed)');
          expect(await read('c.html'))
            .to.include('href="#cut-chunked-cut-small-GET"')
            .and.not.to.match(/<script|https?:\/\//);
        },
      );
    });
  }).timeout(40_000);
});
