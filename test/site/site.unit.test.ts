import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect } from 'chai';
import { packageFile } from '#src/shared/package.js';

const index = `# All pages

Text.

## First

| page | what |
|---|---|
| [the README](../README.md) | see [b](b.md) |
| [b.md](b.md) | more |
`;
const readme = '# Tool\n\nOne sentence.\n\nRead [a](docs/b.md#a-title), or [the pages](docs/README.md).\n';
const small = { 'README.md': readme, 'docs/README.md': index, 'docs/b.md': '# B\n\nAbout b.\n\n## A title\n' };

describe('npm run site, on a small folder', () => {
  let folder: string;

  beforeEach(() => {
    folder = mkdtempSync(path.join(tmpdir(), 'holdfast-site-test-'));
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  /** Builds the site of these files. `page` reads a page of it. */
  function buildSite(files: Readonly<Record<string, string | Buffer>>, ...more: readonly string[]) {
    for (const [file, text] of Object.entries({ ...small, ...files })) {
      const place = path.join(folder, 'root', file);
      mkdirSync(path.dirname(place), { recursive: true });
      writeFileSync(place, text);
    }
    const script = packageFile('scripts/site/build.mjs');
    const words = ['--root', path.join(folder, 'root'), '--out', path.join(folder, 'out'), ...more];
    const { status, stdout, stderr } = spawnSync(process.execPath, [script, ...words], { encoding: 'utf8' });
    const page = (url: string) => readFileSync(path.join(folder, 'out', url), 'utf8');
    return { status, stdout, stderr, page };
  }

  it('writes a page for each file, with its title, description, navigation and contents, and says how to open it', () => {
    const b = '# B & co\n\nAbout `b` and more.\n\n## One\n\n### One more\n\n## Two\n';
    const { stdout, stderr, status, page } = buildSite({ 'docs/b.md': b, 'README.md': '# Tool\n\nOne sentence.\n' });
    expect([stderr, status]).to.deep.equal(['', 0]);
    expect(stdout)
      .to.match(/^written: .*out, 3 pages/m)
      .and.to.match(/^open: file:.*\/out\/index\.html$/m);
    const html = page('docs/b.html');
    expect(html).to.include('<title>B &amp; co · Holdfast</title>');
    expect(html).to.include('<meta name="description" content="About b and more.">');
    expect(html).to.include('<h2>First</h2>');
    expect(html).to.include('<a href="../index.html">Overview</a>');
    expect(html).to.include('<a href="../docs/b.html" aria-current="page">B &amp; co</a>');
    expect(html).to.match(/href="#one">One<.*\n.*href="#one-more">One more</);
    expect(html).not.to.include('<script');
  });

  it('refuses a link to a file outside the repository', () => {
    writeFileSync(path.join(folder, 'secret.txt'), 'secret\n');
    const { status, stderr } = buildSite({ 'docs/b.md': '# B\n\n[out](../../secret.txt)\n\n## A title\n' });
    expect(status).to.equal(3);
    expect(stderr).to.include('docs/b.md:3: the link to ../../secret.txt leads to ../secret.txt');
    expect(existsSync(path.join(folder, 'out'))).to.equal(false);
  });

  it('turns links to Markdown, source files, folders and pictures into links of the site', () => {
    const picture = Buffer.alloc(24);
    picture.writeUInt32BE(640, 16);
    picture.writeUInt32BE(480, 20);
    const b =
      '# B\n\n[up](../README.md) [self](#b) [yaml](../lab/x.yaml) [lab](../lab/) [other](../lab/sub/README.md)\n\n![p](p.png) [web](https://example.org/x)\n';
    const { status, stderr, stdout, page } = buildSite({
      'docs/b.md': b,
      'README.md': '# Tool\n\nText.\n',
      'docs/p.png': picture,
      'lab/x.yaml': 'a: <b>\n',
      'lab/sub/README.md': '# Sub\n\nText.\n',
    });
    expect([stderr, status]).to.deep.equal(['', 0]);
    const html = page('docs/b.html');
    for (const href of ['../index.html', '#b', '../lab/x.yaml.html', '../lab/index.html', '../lab/sub/index.html']) {
      expect(html).to.include(`<a href="${href}">`);
    }
    expect(html).to.include('<img src="p.png" alt="p" width="640" height="480" loading="lazy">');
    expect(html).to.include('<a href="https://example.org/x" rel="noreferrer">web</a>');
    expect(page('lab/x.yaml.html')).to.include('<code>a: &lt;b&gt;\n</code>');
    expect(page('lab/index.html')).to.include('<a href="x.yaml.html">x.yaml</a>');
    expect(stdout).to.include('links to other sites, not checked: 1');
    expect(page('external-links.txt')).to.equal('https://example.org/x  docs/b.md:5\n');
  });

  it('makes the anchors that GitHub makes', () => {
    const b =
      '# B\n\n## `holdfast run`: a "run", v1.2\n\n## Same\n\n## Same\n\n## Über_all – x\n\n[1](#holdfast-run-a-run-v12) [2](#same-1) [3](#%C3%BCber_all--x)\n';
    const { status, stderr, page } = buildSite({ 'docs/b.md': b, 'README.md': '# Tool\n\nText.\n' });
    expect([stderr, status]).to.deep.equal(['', 0]);
    const ids = [...page('docs/b.html').matchAll(/ id="([^"]+)"/g)].map(([, id]) => id);
    expect(ids).to.deep.equal(['page:text', 'b', 'holdfast-run-a-run-v12', 'same', 'same-1', 'über_all--x']);
  });

  it('writes tables that scroll, with a name, and takes no empty cell for a header', () => {
    const b = '# B\n\n## A title\n\n| | x |\n|---|---|\n| 1 | 2 |\n';
    const { status, page } = buildSite({ 'docs/b.md': b });
    expect(status).to.equal(0);
    expect(page('docs/b.html')).to.match(
      /<div class="table" role="group" tabindex="0" aria-label="Table of the section A title"><table>\s*<thead>\s*<tr>\s*<td><\/td>\s*<th>x<\/th>/,
    );
  });

  it('names page and line of every link that leads nowhere, and writes nothing', () => {
    const b =
      '# B\n\nText, and\n[gone](gone.md), <!-- a comment -->\nor [no anchor](../README.md#nope).\n\n| a |\n|---|\n| x |\n| [out](../../x.md) |\n\n![no](b.md)\n';
    const { status, stderr } = buildSite({ 'docs/b.md': b });
    expect(stderr.trim().split('\n')).to.deep.equal([
      'README.md:5: the link to docs/b.md#a-title names the anchor #a-title, but docs/b.md has no heading for it. Correct the anchor.',
      'docs/b.md:4: the link to gone.md leads to docs/gone.md, which is no file of the repository. Correct the link, or add the file.',
      'docs/b.md:5: the link to ../README.md#nope names the anchor #nope, but README.md has no heading for it. Correct the anchor.',
      'docs/b.md:10: the link to ../../x.md leads to ../x.md, which is no file of the repository. Correct the link, or add the file.',
      'docs/b.md:12: the link to b.md leads to docs/b.md, expected a picture in PNG.',
    ]);
    expect(status).to.equal(3);
    expect(existsSync(path.join(folder, 'out'))).to.equal(false);
  });

  it('refuses HTML that it cannot check, but takes comments and line breaks', () => {
    expect(
      buildSite({ 'docs/b.md': '# B\n\n## A title\n\n<!-- one -->\n\n| a |\n|---|\n| x<br>y |\n' }).status,
    ).to.equal(0);
    const { status, stderr } = buildSite({ 'docs/b.md': '# B\n\nText <script>1</script>\n\n## A title\n' });
    expect(stderr).to.equal(
      'docs/b.md:3: found the HTML <script>, expected Markdown. Only <br> and comments may be HTML.\n',
    );
    expect(status).to.equal(3);
  });

  it('does not replace a folder that it did not write', () => {
    mkdirSync(path.join(folder, 'out'));
    writeFileSync(path.join(folder, 'out/mine.txt'), 'mine');
    const { status, stderr } = buildSite({});
    expect(stderr).to.match(/out holds files that this command did not write. Choose another folder with --out\.$/m);
    expect(status).to.equal(3);
    rmSync(path.join(folder, 'out/mine.txt'));
    writeFileSync(path.join(folder, 'out/external-links.txt'), 'of an earlier site');
    expect(buildSite({}).status).to.equal(0);
  });

  it('asks for a folder when --out is a file', () => {
    writeFileSync(path.join(folder, 'out'), 'mine');
    const { status, stderr } = buildSite({});
    expect(stderr).to.match(/out is a file, expected a folder\. Choose a folder with --out\.$/m);
    expect(status).to.equal(3);
  });

  it('says what it expects when a flag is wrong, or when runs to play are missing', () => {
    expect(buildSite({}, '--replay').stderr).to.match(/Expected --out DIR, --replay-from DIR or --root DIR\.$/m);
    const withReplays = `${readme}\n<!-- replays -->\n`;
    const { status, stderr } = buildSite({ 'README.md': withReplays }, '--replay-from', path.join(folder, 'runs'));
    expect(stderr).to.match(
      /runs\/kill-one\/latest\/history.ndjson does not exist. Expected a folder that "holdfast run/,
    );
    expect(status).to.equal(3);
  });

  it('leaves no temporary folder when it is interrupted during a run', async function () {
    this.timeout(20_000);
    buildSite({ 'README.md': `${readme}\n<!-- replays -->\n` }, '--wrong');
    const words = ['--root', path.join(folder, 'root'), '--out', path.join(folder, 'out')];
    const temporary = path.join(folder, 'tmp');
    mkdirSync(temporary);
    const child = spawn(process.execPath, [packageFile('scripts/site/build.mjs'), ...words], {
      env: { ...process.env, TMPDIR: temporary },
      // A group of its own, which gets the signal as a terminal sends it.
      detached: true,
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    const ended = once(child, 'exit');
    await once(child.stdout, 'data');
    process.kill(-(child.pid ?? 0), 'SIGINT');
    expect(await ended).to.deep.equal([130, null]);
    expect(readdirSync(temporary)).to.deep.equal([]);
    expect(existsSync(path.join(folder, 'out'))).to.equal(false);
  });

  it('begins no run when it is interrupted between two runs', async () => {
    const { recordRuns } = await import(packageFile('scripts/site/replays.mjs'));
    const interruption = new AbortController();
    const said: string[] = [];
    const say = (line: string) => {
      said.push(line);
      interruption.abort('SIGINT');
    };
    const failure = await recordRuns(folder, say, interruption.signal).catch((error: Error) => error.message);
    expect(failure).to.match(/^holdfast run .* was not run: SIGINT$/);
    expect(said).to.have.length(1);
    expect(readdirSync(folder)).to.deep.equal([]);
  });
});
