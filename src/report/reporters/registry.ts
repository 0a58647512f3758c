import type { Reporter } from '../reporter.js';
import { annotations } from './annotations.js';
import { html } from './html.js';
import { json } from './json.js';
import { junit } from './junit.js';
import { markdown } from './markdown.js';
import { terminal } from './terminal.js';

/** Every form a report can take. The names appear on the command line. */
export const reporters = {
  terminal: {
    summary: 'the comparison, one sentence per mode and what was not met, at most 20 lines',
    report: terminal,
  },
  json: { summary: 'everything that was counted, for scripts (schema 1)', report: json },
  html: { summary: 'one file with one timeline for all modes; opens from disk, needs no network', report: html },
  junit: { summary: 'a suite per mode and a case per expectation, for CI servers', report: junit },
  annotations: { summary: 'a line of GitHub Actions for each run that is no pass', report: annotations },
  markdown: { summary: 'the comparison as a table of Markdown, for the summary of a step', report: markdown },
} as const satisfies Record<string, { readonly summary: string; readonly report: Reporter }>;

export type ReporterName = keyof typeof reporters;
