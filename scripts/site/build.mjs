/**
 * Builds the site: a static page for README.md, each page of docs/ and each file to which they link, with two recorded
 * runs. It runs both scenarios first, which takes about half a minute. A link that leads nowhere ends it with code 3.
 *
 *   npm run site                                        writes reports/site
 *   node scripts/site/build.mjs [--out DIR] [--replay-from DIR] [--root DIR]
 *
 * --replay-from: takes the runs from the folder of earlier ones, the --out of "holdfast run".
 */
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { build } from 'esbuild';
import { SiteProblem } from './markdown.mjs';
import { buildPages } from './pages.mjs';

/** The site has this file, so a folder with it may be replaced. */
const linksFile = 'external-links.txt';

try {
  await buildSite();
} catch (error) {
  if (!(error instanceof SiteProblem)) throw error;
  console.error(error.message);
  process.exitCode = 3;
}

async function buildSite() {
  const options = readOptions();
  const { root, out } = options;
  const withReplays = readFileSync(path.join(root, 'README.md'), 'utf8').includes('<!-- replays -->');
  // A wrong link must be told before the runs.
  buildPages(root);
  emptyFolder(out);
  const replays = withReplays ? await makeReplays(out, options['replay-from']) : undefined;
  const { files, external, links } = buildPages(root, replays);
  for (const [url, contents] of files) {
    const file = path.join(out, url);
    mkdirSync(path.dirname(file), { recursive: true });
    writeFileSync(file, contents);
  }
  writeFileSync(path.join(out, 'site.css'), await packStyle());
  writeFileSync(path.join(out, linksFile), external.map(({ href, place }) => `${href}  ${place}\n`).join(''));
  console.log(`written: ${out}, ${files.size} pages and pictures; ${links} links checked`);
  console.log(`links to other sites, not checked: ${external.length}, in ${path.join(out, linksFile)}`);
  console.log(`open: ${pathToFileURL(path.resolve(out, 'index.html')).href}`);
}

function readOptions() {
  const text = { type: 'string' };
  try {
    const { values } = parseArgs({ options: { root: text, out: text, 'replay-from': text } });
    const root = values.root ?? path.resolve(import.meta.dirname, '../..');
    return { ...values, root, out: values.out ?? path.join(path.relative('', root), 'reports/site') };
  } catch (error) {
    throw new SiteProblem(`${error.message}. Expected --out DIR, --replay-from DIR or --root DIR.`);
  }
}

function emptyFolder(out) {
  if (existsSync(out) && readdirSync(out).length > 0 && !existsSync(path.join(out, linksFile))) {
    throw new SiteProblem(`${out} holds files that this command did not write. Choose another folder with --out.`);
  }
  rmSync(out, { recursive: true, force: true });
  mkdirSync(out, { recursive: true });
  writeFileSync(path.join(out, linksFile), '');
}

/** The runs are recorded now, unless earlier ones are named. */
async function makeReplays(out, from) {
  const { buildReplays, recordRuns } = await import('./replays.mjs');
  if (from !== undefined) return buildReplays(from, out);
  const folder = mkdtempSync(path.join(tmpdir(), 'holdfast-site-'));
  try {
    recordRuns(folder, line => console.log(line));
    return await buildReplays(folder, out);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function packStyle() {
  const { outputFiles } = await build({
    entryPoints: [path.join(import.meta.dirname, 'style.css')],
    bundle: true,
    minify: true,
    write: false,
    logLevel: 'warning',
  });
  return outputFiles[0].text;
}
