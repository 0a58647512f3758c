import { createHash } from 'node:crypto';
import { type Markup, markup, trusted } from './markup.js';
import { style } from './style.js';

export interface PageParts {
  readonly title: string;
  readonly body: Markup;
  /** Absent: a page that does nothing by itself. */
  readonly script?: string;
}

/** The whole file. Its policy lets nothing be fetched and runs no script or style but what stands in it. */
export function page({ title, body, script }: PageParts): string {
  const scripts = script === undefined ? "'none'" : hash(script);
  const policy = `default-src 'none'; img-src data:; style-src ${hash(style)}; script-src ${scripts}; base-uri 'none'; form-action 'none'`;
  const program = script === undefined ? '' : markup`<script>${trusted(script)}</script>\n`;
  return `<!doctype html>
${markup`<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${title}</title>
<link rel="icon" href="data:,">
<style>${trusted(style)}</style>
</head>
<body>
${body}
${program}</body>
</html>`}
`;
}

function hash(text: string): string {
  return `'sha256-${createHash('sha256').update(text).digest('base64')}'`;
}
