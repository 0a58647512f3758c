import { renderIndex } from '../pages.js';
import type { TableReporter } from '../reporter.js';

/** Renders the page with the failure table. `pages.ts` renders the page of each proxy, to which its cells link. */
export const markdown: TableReporter = (table, options) => renderIndex(table, options);
