import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { Reply } from '#src/sessions/session-context.js';
import { packageFile } from '#src/shared/package-file.js';
import { liveLabLink, markup } from './page/markup.js';
import { style } from './page/style.js';

/** The modules of the page, each after those that it imports. */
const modules = ['places', 'story', 'actions', 'ask', 'view', 'account-view', 'account', 'main'];

/**
 * Builds one HTML page with everything in it. It must work while its server is dead, so it can load nothing later. Its
 * policy allows the one script and the one style by their digests, and requests to this origin only. `liveLab`: the
 * origin of the live lab that the page links to.
 */
export function shopPage(liveLab?: string): Reply {
  const script = modules.map(inlineModule).join('\n');
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

/** Returns a module without imports and exports. All modules share the scope of one script. A name that two of them
 * declare is an error. */
function inlineModule(name: string): string {
  const code = readFileSync(packageFile(`dist/backends/page/${name}.js`), 'utf8');
  return code.replaceAll(/^import [^;]*;$/gm, '').replaceAll(/^export (?:\{\};)?/gm, '');
}

function digest(text: string): string {
  return `'sha256-${createHash('sha256').update(text).digest('base64')}'`;
}
