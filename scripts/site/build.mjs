/**
 * Builds the site: a static page for README.md, each page of docs/ and each file to which they link, with two recorded
 * runs. It runs both scenarios first, which takes about half a minute. A link that leads nowhere ends it with code 3.
 *
 *   npm run site                                        writes reports/site
 *   node scripts/site/build.mjs [--out DIR] [--replay-from DIR] [--root DIR]
 *
 * --replay-from: takes the runs from the folder of earlier ones, the --out of "holdfast run".
 */
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { SiteProblem } from './markdown.mjs';
import { buildPages } from './pages.mjs';

/** The site has this file, so a folder with it may be replaced. */
const linksFile = 'external-links.txt';

// Without these the signal would end this program at once. The run that goes on ends first, then the folders are removed.
const codes = { SIGINT: 130, SIGTERM: 143 };
const interruption = new AbortController();
for (const name of Object.keys(codes)) process.on(name, () => interruption.abort(name));

try {
  await buildSite();
} catch (error) {
  if (!(error instanceof SiteProblem)) throw error;
  const { aborted, reason } = interruption.signal;
  if (!aborted) console.error(error.message);
  process.exitCode = aborted ? codes[reason] : 3;
}

async function buildSite() {
  const { root, out, 'replay-from': from } = readOptions();
  // What can be wrong must be told before the runs.
  buildPages(root);
  checkFolder(out);
  const hasReplays = readFileSync(path.join(root, 'README.md'), 'utf8').includes('<!-- replays -->');
  const made = mkdtempSync(path.join(tmpdir(), 'holdfast-site-'));
  try {
    const replays = hasReplays ? await makeReplays(from, made) : undefined;
    if (interruption.signal.aborted) throw new SiteProblem(`nothing was written: ${interruption.signal.reason}`);
    const pages = buildPages(root, replays);
    for (const [url, contents] of pages.files) writeInto(made, url, contents);
    writeInto(made, 'site.css', readStyle());
    writeInto(made, linksFile, pages.external.map(({ href, place }) => `${href}  ${place}\n`).join(''));
    rmSync(out, { recursive: true, force: true });
    mkdirSync(out, { recursive: true });
    cpSync(made, out, { recursive: true });
    console.log(`written: ${out}, ${pages.files.size} pages and pictures; ${pages.links} links checked`);
    console.log(`links to other sites, not checked: ${pages.external.length}, in ${path.join(out, linksFile)}`);
    console.log(`open: ${pathToFileURL(path.resolve(out, 'index.html')).href}`);
  } finally {
    rmSync(made, { recursive: true, force: true });
  }
}

function writeInto(folder, url, contents) {
  const file = path.join(folder, url);
  mkdirSync(path.dirname(file), { recursive: true });
  writeFileSync(file, contents);
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

function checkFolder(out) {
  if (existsSync(out) && !statSync(out).isDirectory())
    throw new SiteProblem(`${out} is a file, expected a folder. Choose a folder with --out.`);
  if (!existsSync(out) || readdirSync(out).length === 0 || existsSync(path.join(out, linksFile))) return;
  throw new SiteProblem(`${out} holds files that this command did not write. Choose another folder with --out.`);
}

/** Writes the replays into the folder `to`. The runs are recorded now, unless earlier ones are named. */
async function makeReplays(from, to) {
  const { buildReplays, recordRuns } = await import('./replays.mjs');
  const { signal } = interruption;
  if (from !== undefined) return buildReplays(from, to, signal);
  const folder = mkdtempSync(path.join(tmpdir(), 'holdfast-runs-'));
  try {
    await recordRuns(folder, line => console.log(line), signal);
    return await buildReplays(folder, to, signal);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Returns the style of the site. Its colours are those of the live page. */
function readStyle() {
  const files = ['../../src/live/page/style/colours.css', 'style.css'];
  return files.map(file => readFileSync(path.join(import.meta.dirname, file), 'utf8')).join('\n');
}
