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

// A command that was stopped has left its pages: they are put back before anything is changed.
restore();
if (process.argv.includes('--package')) for (const page of listPages()) shipPage(page);

function restore() {
  if (existsSync(kept)) cpSync(kept, root, { recursive: true, force: true });
  rmSync(kept, { recursive: true, force: true });
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
  const shipped = text.replaceAll(link, (whole, words, to) => {
    return /^[a-z]+:/.test(to) || isShipped(path.join(path.dirname(page), to)) ? whole : words;
  });
  if (shipped === text) return;
  cpSync(path.join(root, page), path.join(kept, page));
  writeFileSync(path.join(root, page), shipped + note);
}

/** Tells whether npm packs this file or folder. npm adds README.md and LICENSE by itself. */
function isShipped(file) {
  const { files } = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8'));
  const isIn = name => file === name || file.startsWith(`${name}/`);
  const left = files.filter(name => name.startsWith('!')).map(name => name.slice(1));
  return [...files, 'README.md', 'LICENSE'].some(isIn) && !left.some(isIn) && existsSync(path.join(root, file));
}
