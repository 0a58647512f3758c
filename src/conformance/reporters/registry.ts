import type { TableReporter } from '../reporter.js';
import { html } from './html.js';
import { json } from './json.js';
import { markdown } from './markdown.js';
import { terminal } from './terminal.js';

export const tableReporters = { terminal, json, markdown, html } satisfies Record<string, TableReporter>;
