import type { Reporter } from '../reporter.js';
import { html } from './html.js';
import { json } from './json.js';
import { terminal } from './terminal.js';

/** Every form a report can take. The names appear on the command line. */
export const reporters = {
  terminal: {
    summary: 'the comparison, one sentence per mode and what was not met, at most 20 lines',
    report: terminal,
  },
  json: { summary: 'everything that was counted, for scripts (schema 1)', report: json },
  html: { summary: 'one file with a timeline per mode; opens from disk, needs no network', report: html },
} as const satisfies Record<string, { readonly summary: string; readonly report: Reporter }>;

export type ReporterName = keyof typeof reporters;
