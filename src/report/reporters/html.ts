import type { Reporter } from '../reporter.js';
import { sentence } from '../sentence.js';
import { markup } from './html/markup.js';

export const html: Reporter = runs => {
  const sentences = runs.map(run => markup`<li>${sentence(run)}</li>`);
  return `<!doctype html>\n${markup`<html lang="en"><meta charset="utf-8"><title>Holdfast</title><ul>${sentences}</ul></html>`}\n`;
};
