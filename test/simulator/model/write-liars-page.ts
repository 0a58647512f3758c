import { type CellResult, type Form, pairsOf, tellLies } from './cells.js';
import { introduction, sectionOf } from './liars-page.js';

async function writeSection(form: Form): Promise<string> {
  const results: CellResult[] = [];
  for (const pair of pairsOf(form)) results.push(await tellLies(pair));
  return sectionOf(form, results);
}

/** Prints docs/liars.md. */
process.stdout.write([introduction(), await writeSection('full'), await writeSection('short')].join('\n'));
