import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { Reply } from '#src/sessions/session-context.js';
import { packageFile } from '#src/shared/package-file.js';
import { liveLabLink, markup } from './page/markup.js';
import { style } from './page/style.js';

/**
 * Builds one HTML page with everything in it. It must work while its server is dead, so it can load nothing later. Its
 * policy allows the one script and the one style by their digests, and requests to this origin only. `liveLab`: the
 * origin of the live lab that the page links to.
 */
export function shopPage(liveLab?: string): Reply {
  // scripts/pack.mjs has packed it from page/main.ts.
  const script = readFileSync(packageFile('dist/backends/page-script.js'), 'utf8');
  const link = liveLab === undefined ? '' : liveLabLink(liveLab);
  const body = markup
    .replace('/*live-lab*/', () => link)
    .replace('/*style*/', () => style)
    .replace('/*script*/', () => script);
  const policy = [
    "default-src 'none'",
    `script-src ${digest(script)}`,
    `style-src ${digest(style)}`,
    "connect-src 'self'",
    'img-src data:',
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ];
  return { status: 200, headers: { ...pageHeaders, 'content-security-policy': policy.join('; ') }, body };
}

const pageHeaders = {
  'content-type': 'text/html; charset=utf-8',
  'cache-control': 'no-store',
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
};

function digest(text: string): string {
  return `'sha256-${createHash('sha256').update(text).digest('base64')}'`;
}
