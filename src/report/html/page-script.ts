import { readFileSync } from 'node:fs';
import { packageFile } from '../../shared/package-file.js';

/**
 * The source of the script of the page: uPlot from its package, and the compiled modules of the report. This module
 * reads them once when it is loaded, so that making a report reads no file. The repository holds no copy of uPlot.
 */
const uPlot = new URL('.', import.meta.resolve('uplot'));

/** In dependency order: each module comes after its imports. */
const modules = [
  'words',
  'browser/columns',
  'browser/scales',
  'browser/charts',
  'browser/cursor',
  'browser/stories',
  'browser/main',
];

export const plotStyle = readFileSync(new URL('uPlot.min.css', uPlot), 'utf8');
export const plotScript = readFileSync(new URL('uPlot.iife.min.js', uPlot), 'utf8');
export const pageScript = `${plotScript}
(() => {
'use strict';
${modules.map(inlineModule).join('\n')}
})();`;

/**
 * Removes imports and exports, because the modules share the scope of one script. A test checks for duplicate names.
 */
function inlineModule(name: string): string {
  const code = readFileSync(packageFile(`dist/report/${name}.js`), 'utf8');
  return code.replaceAll(/^import [^;]*;$/gm, '').replaceAll(/^export (?:\{\};)?|^\/\/# sourceMappingURL.*$/gm, '');
}
