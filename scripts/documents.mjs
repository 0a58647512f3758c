/**
 * Makes the documents of the package: a link to a page that the package does not hold becomes plain words.
 *
 *   node scripts/documents.mjs --package    (part of npm pack: keeps each changed page in .documents/)
 *   node scripts/documents.mjs --restore    (after it: puts the pages back)
 */
import { cpSync, existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';

const root = path.resolve(import.meta.dirname, '..');
const kept = path.join(root, '.documents');
/** A link that is no picture. Its words may hold a pair of brackets. */
const link = /(?<!!)\[((?:[^[\]]|\[[^\]]*\])+)\]\(([^)#\s]+)(?:#[^)\s]*)?\)/g;
const note = '\nA page that is named here without a link is in the repository, and not in this package.\n';

const { files } = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8'));
const leftOut = files.filter(name => name.startsWith('!')).map(name => name.slice(1));

// A command that was stopped has left its pages: they are put back before anything is changed.
restore();
if (process.argv.includes('--package')) for (const page of listPages()) shipPage(page);

/** Puts the pages back. Throws when a page was changed in the meantime: that text would be lost. */
function restore() {
  if (!existsSync(kept)) return;
  for (const page of readdirSync(kept, { recursive: true }).filter(name => name.endsWith('.md'))) {
    const text = readFileSync(path.join(kept, page), 'utf8');
    const now = readFileSync(path.join(root, page), 'utf8');
    if (now !== text && now !== makeShipped(page, text))
      throw new Error(
        `${page} was changed after a stopped npm pack. Compare it with .documents/${page}, then delete .documents`,
      );
    writeFileSync(path.join(root, page), text);
  }
  rmSync(kept, { recursive: true });
}

function listPages() {
  const pages = readdirSync(root).filter(name => name.endsWith('.md'));
  for (const folder of ['docs', 'examples'])
    for (const name of readdirSync(path.join(root, folder), { recursive: true }))
      if (name.endsWith('.md')) pages.push(path.join(folder, name));
  return pages.filter(isShipped);
}

function shipPage(page) {
  const text = readFileSync(path.join(root, page), 'utf8');
  const shipped = makeShipped(page, text);
  if (shipped === text) return;
  cpSync(path.join(root, page), path.join(kept, page));
  writeFileSync(path.join(root, page), shipped);
}

/** Returns the text of a page as the package ships it. */
function makeShipped(page, text) {
  const shipped = text.replaceAll(link, (whole, words, to) =>
    /^[a-z]+:/.test(to) || isShipped(path.join(path.dirname(page), to)) ? whole : words,
  );
  return shipped === text ? text : shipped + note;
}

/** Tells whether npm packs this file or folder. npm adds README.md and LICENSE by itself. */
function isShipped(file) {
  const isIn = name => file === name || file.startsWith(`${name}/`);
  return [...files, 'README.md', 'LICENSE'].some(isIn) && !leftOut.some(isIn) && existsSync(path.join(root, file));
}
