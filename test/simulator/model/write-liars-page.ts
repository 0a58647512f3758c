import { tellAllLies } from './cells.js';
import { introduction, sectionOf } from './liars-page.js';

/** Prints docs/liars.md. */
const sections = [sectionOf('full', await tellAllLies('full')), sectionOf('short', await tellAllLies('short'))];
process.stdout.write([introduction(), ...sections].join('\n'));
