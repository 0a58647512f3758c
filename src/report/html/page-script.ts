import { readFileSync } from 'node:fs';
import { packageFile } from '../../shared/package-file.js';

/**
 * The source of the script of the page: uPlot from its package, and `browser/main.ts`, which `scripts/pack.mjs` has
 * packed. This module reads both once when it is loaded, so that making a report reads no file. The repository holds no
 * copy of uPlot.
 */
const uPlot = new URL('.', import.meta.resolve('uplot'));

export const plotStyle = readFileSync(new URL('uPlot.min.css', uPlot), 'utf8');
export const plotScript = readFileSync(new URL('uPlot.iife.min.js', uPlot), 'utf8');
export const pageScript = `${plotScript}\n${readFileSync(packageFile('dist/report/page-script.js'), 'utf8')}`;
