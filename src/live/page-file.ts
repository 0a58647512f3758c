import { createHash } from 'node:crypto';
import { embeddedJson, type Markup, markup, plotScript, plotStyle, trustMarkup } from '../report/html/page.js';
import { readPackedFile } from '../shared/package.js';
import { exportNames, type LabRecording } from './protocol.js';

interface LivePage {
  readonly html: string;
  /** The value of the header `Content-Security-Policy`. */
  readonly contentSecurityPolicy: string;
}

/**
 * Builds the page of the live lab, with its script and style inside. `scripts/pack.mjs` has packed both. The policy
 * allows these two by their digests, and requests to this origin only.
 */
export function livePage(): LivePage {
  const script = `${plotScript}\n${readPackedFile('dist/live/page-script.js')}`;
  const style = plotStyle + readPackedFile('dist/live/page-style.css');
  const head = markup`<title>Holdfast live</title>`;
  const html = renderPage({ attributes: '', head, style, body: renderBody('Holdfast live'), script });
  return {
    html,
    contentSecurityPolicy: buildPolicy(script, style, ["connect-src 'self'"], ["frame-ancestors 'none'"]),
  };
}

/** A page that plays a recording without a server. */
interface ReplayPage {
  readonly title: string;
  readonly description: string;
  /** Links to further pages about the same run. */
  readonly links: readonly { readonly href: string; readonly text: string }[];
  readonly recording: LabRecording;
  /** Packed from `page/replay.ts`. */
  readonly script: string;
  /** Packed from `page/style/replay.css`. */
  readonly style: string;
}

/** Builds the page of a recording. Everything is inside, and the policy of the page allows no request. */
export function replayPage({ title, description, links, recording, ...page }: ReplayPage): string {
  const script = `${plotScript}\n${page.script}`;
  const style = plotStyle + page.style;
  const head = markup`<title>${title}</title>
<meta name="description" content="${description}">
<meta http-equiv="Content-Security-Policy" content="${buildPolicy(script, style)}">`;
  const body = markup`${renderBody(title, links)}
<script type="application/json" id="recording">${embeddedJson(recording)}</script>`;
  return renderPage({ attributes: ' data-replay data-recording', head, style, body, script });
}

interface PageParts {
  readonly attributes: string;
  readonly head: Markup;
  readonly style: string;
  readonly body: Markup;
  readonly script: string;
}

function renderPage({ attributes, head, style, body, script }: PageParts): string {
  return markup`<!doctype html>
<html lang="en"${trustMarkup(attributes)}>
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
${head}
<link rel="icon" href="data:,">
<style>${trustMarkup(style)}</style>
</head>
<body>
${body}
<script>${trustMarkup(script)}</script>
</body>
</html>
`.toString();
}

/** Returns a policy that allows one script, one style, and no request unless `requests` does. */
function buildPolicy(
  script: string,
  style: string,
  requests: readonly string[] = [],
  more: readonly string[] = [],
): string {
  return [
    "default-src 'none'",
    ...requests,
    `script-src ${digest(script)}`,
    `style-src ${digest(style)}`,
    'img-src data:',
    "base-uri 'none'",
    "form-action 'none'",
    ...more,
  ].join('; ');
}

function digest(text: string): string {
  return `'sha256-${createHash('sha256').update(text).digest('base64')}'`;
}

/** The keys. `lab`: it needs a running lab. `server`: it needs a server. `recording`: it is for a page without a server. */
const keys = [
  ['1 – 9', 'select a backend, the proxy or the store', 'lab'],
  ['k', 'kill it', 'lab'],
  ['h', 'hang it: it accepts connections and answers nothing', 'lab'],
  ['d', 'drain it', 'lab'],
  ['s', 'slow its link', 'lab'],
  ['c', 'cut its link', 'lab'],
  ['r', 'restart or heal it', 'lab'],
  ['m', 'all other faults that can strike it, with their options', 'lab'],
  ['b', 'strike both sides, the left one or the right one', 'lab'],
  ['space', 'pause the view; the systems go on', 'server'],
  ['space', 'pause the replay, or go on', 'recording'],
  ['e', 'export', 'server'],
  ['?', 'show the help', ''],
] as const;

/**
 * Renders the fixed part of the page. The script makes the two sides. `links`: only on the page of a recording. The style
 * hides what has a `data-only` that does not fit the page.
 */
function renderBody(title: string, links?: ReplayPage['links']): Markup {
  const isOfPage = ([, , only]: (typeof keys)[number]) =>
    only === '' || (links === undefined) === (only !== 'recording');
  return markup`<header class="top">
<div class="title">
<h1>${title}</h1>
<p id="lead">Two real systems, the same users. <span data-only="lab">Break a server and watch every session.</span></p>
${links === undefined ? '' : renderLinks(links)}
</div>
<div class="settings">
<label for="users" data-only="lab">Users</label><input id="users" data-only="lab" type="number" step="8" inputmode="numeric" disabled>
<span class="seed">Seed <output id="seed">–</output></span>
<button type="button" id="next-seed" data-only="lab" disabled>Next seed</button>
<button type="button" id="clear" data-only="lab" disabled>Clear</button>
<button type="button" id="pause" data-only="server" aria-pressed="false" aria-keyshortcuts="Space">Pause</button>
<button type="button" id="export" data-only="server" aria-keyshortcuts="e">Export</button>
<button type="button" id="help" aria-keyshortcuts="?">Help</button>
</div>
</header>
${links === undefined ? '' : player}
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
<dl class="keys">${keys.filter(isOfPage).map(([key, what, only]) => markup`<div data-only="${only}"><dt><kbd>${key}</kbd></dt><dd>${what}</dd></div>`)}</dl>
<label class="check"><input id="keys-on" type="checkbox" checked> Keys are on</label></dialog>
<noscript><p class="notice">This page needs JavaScript: it draws what the two systems do.</p></noscript>`;
}

function renderLinks(links: ReplayPage['links']): Markup {
  return markup`<ul class="links">${links.map(({ href, text }) => markup`<li><a href="${href}" target="_top">${text}</a></li>`)}</ul>`;
}

const player = markup`<section id="player" aria-label="Replay">
<button type="button" id="play" aria-keyshortcuts="Space">Play</button>
<div class="course"><input id="position" type="range" min="0" max="0" step="100" value="0" aria-label="Time of the run"><ol id="strike-marks"></ol></div>
<output id="clock" for="position">0.0 s</output>
<span class="rate"><label for="speed">Speed</label> <select id="speed"><option value="1">real</option><option value="0.5" selected>half</option><option value="0.25">a quarter</option></select></span>
</section>`;
