import type { Reporter } from '../reporter.js';
import { annotations, markdown, outputs } from './github.js';
import { html } from './html.js';
import { json } from './json.js';
import { junit } from './junit.js';
import { terminal } from './terminal.js';

/** Every format of a report. The names appear on the command line. */
export const reporters = {
  terminal: {
    summary: 'the comparison, one sentence per mode and the unmet expectations, at most 20 lines',
    report: terminal,
  },
  json: { summary: 'all counts, for scripts (schema 1)', report: json },
  html: { summary: 'one file with one timeline for all modes; opens from disk, needs no network', report: html },
  junit: { summary: 'a suite per mode and a case per expectation, for CI servers', report: junit },
  annotations: { summary: 'an annotation of GitHub Actions for each run that is not a pass', report: annotations },
  markdown: { summary: 'the comparison as a Markdown table, for the step summary of GitHub', report: markdown },
  outputs: { summary: 'the worst verdict and the sums, as outputs of a step of GitHub Actions', report: outputs },
} as const satisfies Record<string, { readonly summary: string; readonly report: Reporter }>;

export type ReporterName = keyof typeof reporters;
