import { type CellResult, type Form, pairsOf, tellLies } from './cells.js';
import { introduction, sectionOf } from './liars-page.js';

async function writeSection(form: Form): Promise<string> {
  const results: CellResult[] = [];
  const pairs = pairsOf(form);
  for (const pair of pairs) {
    results.push(await tellLies(pair));
    if (results.length % 20 === 0 || results.length === pairs.length)
      process.stderr.write(`${form}: ${results.length} of ${pairs.length} pairs of scenario and mode\n`);
  }
  return sectionOf(form, results);
}

/** Prints docs/liars.md, and its progress on stderr. */
process.stdout.write([introduction(), await writeSection('full'), await writeSection('short')].join('\n'));
