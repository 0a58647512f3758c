import { readFileSync } from 'node:fs';
import { packageFile } from '../../shared/package-file.js';

/**
 * The texts of the page's program: uPlot as its package has it, and the report's own modules as they were compiled.
 * They are read once, when this module is loaded, as an import is: no report depends on a file that is looked for while
 * it is made, and no copy of uPlot lies in the repository.
 */
const uPlot = new URL('.', import.meta.resolve('uplot'));

/** Each after those that it imports. */
const modules = [
  'words',
  'browser/columns',
  'browser/scales',
  'browser/charts',
  'browser/cursor',
  'browser/stories',
  'browser/incident-tables',
  'browser/main',
];

export const plotStyle = readFileSync(new URL('uPlot.min.css', uPlot), 'utf8');
export const pageScript = `${readFileSync(new URL('uPlot.iife.min.js', uPlot), 'utf8')}
(() => {
'use strict';
${modules.map(inlined).join('\n')}
})();`;

/** In one script there is nothing to import: the modules share a scope. A test looks that no name is declared twice. */
function inlined(name: string): string {
  const code = readFileSync(packageFile(`dist/report/${name}.js`), 'utf8');
  return code.replaceAll(/^import [^;]*;$/gm, '').replaceAll(/^export (?:\{\};)?|^\/\/# sourceMappingURL.*$/gm, '');
}
