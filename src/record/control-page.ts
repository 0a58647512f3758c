import { createHash } from 'node:crypto';
import type { PassName, StepSign } from './recording.js';

/** The page that says what to do in each pass, and shows what was seen. */

export interface ControlState {
  /** Undefined when all passes are done. */
  readonly pass: PassName | undefined;
  readonly number: number;
  /** The address of the app in this pass. */
  readonly address: string;
  readonly steps: readonly string[];
  /** The number of requests in this pass. */
  readonly requests: number;
  readonly signs: readonly StepSign[];
  /** Steps that the pass lacked when the person wanted to end it. */
  readonly missing: readonly string[];
}

export const controlPaths = { page: '/', state: '/state', done: '/done', again: '/again' } as const;

/** Returns the steps of a pass, in the words of the page and of the terminal. */
export function describeSteps(name: PassName, user: string, item: string): string[] {
  if (name === 'anonymous') return ['do not log in', `open the page that showed ${item}, and wait until it is shown`];
  return [
    `log in as ${user}, with the same password in both passes`,
    `add ${item}: type this text where your app takes one`,
    `open the page that lists ${item} once more, or reload it`,
    'log out',
  ];
}

const style = `
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; }
body { max-width: 42rem; margin: 3rem auto; padding: 0 1rem; }
a.app { font-weight: bold; }
button { font: inherit; padding: .4rem 1rem; margin-right: .5rem; }
#signs li::marker { content: "– "; }
#signs li.seen::marker { content: "✓ "; }
#signs li:not(.seen) { opacity: .6; }
#missing { border-left: 4px solid #c60; padding-left: 1rem; }
[hidden] { display: none; }
`;

const script = `
const find = id => document.getElementById(id);
const fill = (id, lines, isSeen) => find(id).replaceChildren(...lines.map((line, i) => {
  const item = document.createElement('li');
  item.textContent = line;
  if (isSeen && isSeen[i]) item.className = 'seen';
  return item;
}));
let shown = '';
function show(state) {
  if (JSON.stringify(state) === shown) return;
  shown = JSON.stringify(state);
  find('pass').hidden = state.pass === undefined;
  find('over').hidden = state.pass !== undefined;
  if (state.pass === undefined) return;
  find('number').textContent = state.number;
  find('app').href = find('app').textContent = state.address;
  fill('steps', state.steps);
  find('requests').textContent = state.requests;
  fill('signs', state.signs.map(sign => sign.text), state.signs.map(sign => sign.isSeen));
  find('missing').hidden = state.missing.length === 0;
  fill('lacks', state.missing);
}
async function ask(path, method) {
  try {
    show(await (await fetch(path, { method })).json());
    return true;
  } catch {
    find('pass').hidden = true;
    find('over').hidden = false;
    return false;
  }
}
find('done').onclick = () => ask('/done', 'POST');
find('again').onclick = () => ask('/again', 'POST');
(async () => { while (await ask('/state', 'GET')) await new Promise(next => setTimeout(next, 500)); })();
`;

export const controlPage = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Holdfast record</title>
<link rel="icon" href="data:,">
<style>${style}</style>
</head>
<body>
<main>
<h1>Record a journey</h1>
<div id="pass" aria-live="polite">
<p>Pass <span id="number"></span> of 3. Open the app in another tab:
<a id="app" class="app" target="_blank" rel="noopener noreferrer"></a></p>
<ol id="steps"></ol>
<p>Recorded in this pass: <span id="requests"></span> requests. The steps that were seen:</p>
<ul id="signs"></ul>
<div id="missing" hidden><p>Not seen in this pass. Do it now, or press the button again to go on without it:</p><ul id="lacks"></ul></div>
<p><button id="done">This pass is done</button><button id="again">Start this pass again</button></p>
</div>
<p id="over" hidden>The recording is over. Go on in the terminal. You can close this page.</p>
</main>
<script>${script}</script>
</body>
</html>
`;

export const controlPolicy = [
  "default-src 'none'",
  "connect-src 'self'",
  `script-src ${digest(script)}`,
  `style-src ${digest(style)}`,
  'img-src data:',
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

function digest(text: string): string {
  return `'sha256-${createHash('sha256').update(text).digest('base64')}'`;
}
