import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { markup, trustMarkup } from '../report/html/markup.js';
import { plotScript, plotStyle } from '../report/html/page-script.js';
import { packageFile } from '../shared/package-file.js';
import { exportNames } from './protocol.js';

export interface LivePage {
  readonly html: string;
  /** The value of the header `Content-Security-Policy`. */
  readonly contentSecurityPolicy: string;
}

/**
 * Builds the page of the live lab, with its script and style inside. `scripts/pack.mjs` has packed both. The policy
 * allows these two by their digests, and requests to this origin only.
 */
export function livePage(): LivePage {
  const script = `${plotScript}\n${readFileSync(packageFile('dist/live/page-script.js'), 'utf8')}`;
  const style = plotStyle + readFileSync(packageFile('dist/live/page-style.css'), 'utf8');
  const contentSecurityPolicy = [
    "default-src 'none'",
    "connect-src 'self'",
    `script-src ${digest(script)}`,
    `style-src ${digest(style)}`,
    'img-src data:',
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join('; ');
  const html = markup`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>Holdfast live</title>
<link rel="icon" href="data:,">
<style>${trustMarkup(style)}</style>
</head>
<body>
${trustMarkup(body)}
<script>${trustMarkup(script)}</script>
</body>
</html>
`;
  return { html: html.toString(), contentSecurityPolicy };
}

function digest(text: string): string {
  return `'sha256-${createHash('sha256').update(text).digest('base64')}'`;
}

const keys = [
  ['1 – 9', 'select a backend, the proxy or the store'],
  ['k', 'kill it'],
  ['h', 'hang it: it accepts connections and answers nothing'],
  ['d', 'drain it'],
  ['s', 'slow its link'],
  ['c', 'cut its link'],
  ['r', 'restart or heal it'],
  ['m', 'all other faults that can strike it, with their options'],
  ['b', 'strike both sides, the left one or the right one'],
  ['space', 'pause the view; the systems go on'],
  ['e', 'export'],
  ['?', 'show the help'],
] as const;

/** The fixed part of the page. The script makes the two sides. */
const body = markup`<header class="top">
<div class="title">
<h1>Holdfast live</h1>
<p id="lead">Two real systems, the same users. <span>Break a server and watch every session.</span></p>
</div>
<div class="settings">
<label for="users">Users</label><input id="users" type="number" step="8" inputmode="numeric" disabled>
<span class="seed">Seed <output id="seed">–</output></span>
<button type="button" id="next-seed" disabled>Next seed</button>
<button type="button" id="clear" disabled>Clear</button>
<button type="button" id="pause" aria-pressed="false" aria-keyshortcuts="Space">Pause</button>
<button type="button" id="export" aria-keyshortcuts="e">Export</button>
<button type="button" id="help" aria-keyshortcuts="?">Help</button>
</div>
</header>
<div id="notice" class="notice" role="alert" hidden></div>
<div id="warning" class="notice" role="status" hidden></div>
<div id="alarm" class="notice" role="alert" hidden></div>
<section id="sought" class="notice" aria-label="The user that you look for" hidden></section>
<section id="strike-bar" class="strike-bar" aria-label="Break something" hidden>
<div class="choice"><h2 id="members-title">Choose</h2><div id="members" role="group" aria-labelledby="members-title"></div></div>
<div class="choice"><h2 id="scope-title">On</h2><div id="scope" class="joined" role="group" aria-labelledby="scope-title">
<button type="button" data-scope="left" aria-pressed="false">left</button><button type="button" data-scope="both" aria-pressed="true" aria-keyshortcuts="b">both<kbd aria-hidden="true">b</kbd></button><button type="button" data-scope="right" aria-pressed="false">right</button>
</div></div>
<div class="choice"><h2 id="strike-title">Break it</h2><div id="actions" role="group" aria-labelledby="strike-title"></div></div>
<p id="reply" class="reply" hidden></p>
</section>
<main>
<ul id="legend" class="shapes" aria-label="Shapes of the users"></ul>
<div id="sides"><p id="empty">Connecting to the live lab …</p></div>
<details id="twin"><summary>Users as a table, and the story of each</summary><div id="twin-tables"></div></details>
</main>
<p id="announcer" class="for-ears" role="status" aria-live="polite"></p>
<dialog id="story" aria-labelledby="story-title"></dialog>
<dialog id="more" class="small" aria-labelledby="more-title"><header><h2 id="more-title">Faults</h2></header><form id="more-form" method="dialog"></form></dialog>
<dialog id="export-box" class="small" aria-labelledby="export-title"><header><h2 id="export-title">Export</h2><form method="dialog"><button>Close</button></form></header>
<p id="export-words" class="note">The same files as <code>holdfast run</code> writes, and what you clicked as a scenario.</p>
<ul id="files">${exportNames.map(name => markup`<li><button type="button" data-file="${name}">${name}</button></li>`)}</ul></dialog>
<dialog id="help-box" class="small" aria-labelledby="help-title"><header><h2 id="help-title">Help</h2><form method="dialog"><button>Close</button></form></header>
<p>Each dot is a simulated user. It stands in the box of the backend that answered it last. The same user is on both sides: point at a dot to find its twin, and click on it to read its story.</p>
<dl class="keys">${keys.map(([key, what]) => markup`<div><dt><kbd>${key}</kbd></dt><dd>${what}</dd></div>`)}</dl>
<label class="check"><input id="keys-on" type="checkbox" checked> Keys are on</label></dialog>
<noscript><p class="notice">This page needs JavaScript: it draws what the two systems do.</p></noscript>`.toString();
