import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { readPackedFile } from '../../shared/package.js';

interface PageParts {
  readonly title: string;
  readonly body: Markup;
  /** Absent for a page without a script. */
  readonly script?: string;
}

/** Renders the whole file. Its policy forbids all requests, and all scripts and styles except those in the file. */
export function page({ title, body, script }: PageParts): string {
  const scripts = script === undefined ? "'none'" : hash(script);
  const policy = `default-src 'none'; img-src data:; style-src ${hash(style)}; script-src ${scripts}; base-uri 'none'; form-action 'none'`;
  const program = script === undefined ? '' : markup`<script>${trustMarkup(script)}</script>\n`;
  return `<!doctype html>
${markup`<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${title}</title>
<link rel="icon" href="data:,">
<style>${trustMarkup(style)}</style>
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

/** Escaped text for the page. Only `markup` and `trustMarkup` make it, so no text enters the page unescaped by mistake. */
export class Markup {
  readonly #text: string;

  constructor(text: string) {
    this.#text = text;
  }

  toString(): string {
    return this.#text;
  }
}

type Content = Markup | string | number | readonly Content[];

/** Makes HTML or SVG from a template. It escapes every value that is not markup already, and joins lists. */
export function markup(strings: TemplateStringsArray, ...values: readonly Content[]): Markup {
  return new Markup(strings.reduce((page, next, index) => page + renderContent(values[index - 1] ?? '') + next));
}

/** Marks text as safe: the style sheet, the script and escaped JSON. Never use it for text from a history. */
export function trustMarkup(text: string): Markup {
  return new Markup(text);
}

function renderContent(content: Content): string {
  if (content instanceof Markup) return content.toString();
  if (typeof content === 'object') return content.map(renderContent).join('');
  return `${content}`.replace(/[&<>"']/g, found => entities[found] ?? found);
}

const entities: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };

/**
 * Renders JSON for a script element. The text cannot close the element or open a comment, and has no line separators.
 */
export function embeddedJson(value: unknown): Markup {
  const text = JSON.stringify(value).replace(
    /[<>&\u2028\u2029]/g,
    found => `\\u${found.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
  return trustMarkup(text);
}

/** Puts a table into a box that scrolls, also by keyboard, so that a wide table does not scroll the page. */
export function scrollable(name: string, table: Markup): Markup {
  return markup`<div class="scroll" role="region" aria-label="${name}" tabindex="0">${table}</div>`;
}

/**
 * The source of the script of the page: uPlot from its package, and `browser/main.ts`, which `scripts/pack.mjs` has
 * packed. This module reads both once when it is loaded, so that making a report reads no file. The repository holds no
 * copy of uPlot.
 */
const uPlot = new URL('.', import.meta.resolve('uplot'));

export const plotStyle = readFileSync(new URL('uPlot.min.css', uPlot), 'utf8');
export const plotScript = readFileSync(new URL('uPlot.iife.min.js', uPlot), 'utf8');
export const pageScript = `${plotScript}\n${readPackedFile('dist/report/page-script.js')}`;

const lightColours = `
--page: #ffffff; --panel: #f6f8fa; --ink: #1b2530; --muted: #56636f; --rule: #d8dee4; --grid: #e4e8ec;
--pass: #1a6b42; --fail: #b3261e; --inconclusive: #855100;
--ok: #8fb3d9; --planned: #33485e; --failed: #c8402f; --unknown: #d99a20; --p50: #1f6fb2; --p99: #7d3fa6; --max: #7a6a86; --unknown-fill: #f6dfae;
--loss: #c8402f; --band: #fbeedd; --requested: #d9a35c; --confirmed: #e3b06f; --on-fault: #46300c;
--up: #7fb59a; --draining: #96700f; --ejected: #566878; --stopped: #7d5aa0; --dead: #b3261e; --on-state: #ffffff; --on-up: #1b2530; --phase: #eef1f4; --focus: #1f6fb2; --control: #7b8793; --chosen: #fff3d6;
`;

const darkColours = `
--page: #12171d; --panel: #1a2129; --ink: #e3e8ed; --muted: #9dabb8; --rule: #333e49; --grid: #27313a;
--pass: #6cc796; --fail: #f28b80; --inconclusive: #e3b25a;
--ok: #3f6a96; --planned: #b8c7d6; --failed: #e8685a; --unknown: #e0aa3e; --p50: #68aee8; --p99: #c398e6; --max: #9d90a8; --unknown-fill: #4d3d18;
--loss: #f0776a; --band: #2a2418; --requested: #8a6a35; --confirmed: #7a5a28; --on-fault: #f7e7c8;
--up: #3f7a5c; --draining: #876a1c; --ejected: #5a6c7c; --stopped: #7c60a0; --dead: #b5443a; --on-state: #ffffff; --on-up: #ffffff; --phase: #1f2831; --focus: #68aee8; --control: #76838f; --chosen: #3a3016;
`;

const textStyle = `
:root { color-scheme: light dark; ${lightColours} }
@media screen and (prefers-color-scheme: dark) { :root { ${darkColours} } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 1080px; padding: 32px 24px 64px; background: var(--page); color: var(--ink);
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Liberation Sans", sans-serif; overflow-wrap: anywhere; }
h1, h2, h3, h4, p, figure, ul { margin: 0; padding: 0; }
h1 { font-size: 30px; line-height: 1.2; letter-spacing: -0.01em; }
h2 { font-size: 20px; margin: 48px 0 14px; padding-bottom: 8px; border-bottom: 1px solid var(--rule);
  display: flex; align-items: center; gap: 12px; }
h3 { font-size: 15px; margin: 28px 0 10px; }
h4 { font-size: 12.5px; font-weight: 600; }
.product, .meta, figcaption { color: var(--muted); font-size: 13px; }
.product { margin-bottom: 4px; }
.why { margin: 6px 0; max-width: 70ch; }
section ul:not([class]) { padding-left: 20px; }
code, pre { font: 13px/1.5 ui-monospace, "SF Mono", Menlo, Consolas, "Liberation Mono", monospace; }
pre { margin: 0 0 8px; padding: 10px 14px; background: var(--panel); border: 1px solid var(--rule); border-radius: 6px;
  white-space: pre-wrap; }
:focus-visible { outline: 2px solid var(--focus); outline-offset: 2px; }
`;

const verdictStyle = `
.badge { flex: none; display: inline-block; min-width: 76px; padding: 1px 10px; border: 1.5px solid; border-radius: 99px;
  font-size: 13px; font-weight: 600; line-height: 20px; text-align: center; }
.pass { color: var(--pass); } .fail { color: var(--fail); } .inconclusive { color: var(--inconclusive); } .observed { color: var(--muted); }
.verdicts { list-style: none; }
.verdicts > li { display: flex; gap: 14px; align-items: flex-start; padding: 8px 0; }
.verdicts > li > .badge { width: 128px; margin-top: 1px; }
.verdicts p { font-size: 16px; }
.verdicts > li > div { min-width: 0; flex: 1; }
.reasons { padding-left: 20px; color: var(--muted); font-size: 14px; }
.not-back { margin: 8px 0; padding: 8px 14px; border-left: 3px solid var(--fail); background: var(--panel); } .not-back b { color: var(--fail); } .not-back pre { margin: 6px 0; max-height: 220px; overflow: auto; }
.verdicts details { margin-top: 4px; } .verdicts summary { font-size: 13px; color: var(--muted); }
`;

const tableStyle = `
.scroll { overflow-x: auto; } .scroll + .meta, .scroll + details, .scroll + p { margin-top: 8px; }
table { border-collapse: collapse; font-size: 14px; overflow-wrap: break-word; font-variant-numeric: tabular-nums; }
th, td { padding: 6px 14px; border-bottom: 1px solid var(--rule); text-align: left; vertical-align: top; }
th { font-weight: 600; }
th:first-child, td:first-child { padding-left: 0; }
th a { color: inherit; text-decoration-color: var(--rule); text-underline-offset: 3px; } th a:hover { text-decoration-color: currentcolor; }
tbody th { font-weight: 400; color: var(--muted); }
.comparison th + th, .comparison td + th, .comparison td { text-align: right; min-width: 110px; }
.matrix { margin-bottom: 8px; } .matrix td, .matrix th { min-width: 118px; } .matrix td, .matrix th { padding: 6px 9px; } .matrix td span { display: block; font-size: 13px; white-space: nowrap; } .matrix td > b { display: block; line-height: 1.35; margin-bottom: 2px; }
.matrix td b span { display: inline; font-size: inherit; } .matrix th:first-child { padding-left: 0; } td.cell-fail { box-shadow: inset 3px 0 var(--fail); } 
td.not-run b { font-weight: 400; color: var(--muted); }
.windows td, .windows th { text-align: right; } .windows tr > th[scope=row], .windows thead th:nth-child(2) { text-align: left; padding-left: 14px; } .windows th[scope=rowgroup] { text-align: left; color: var(--ink); font-weight: 600; }
.faults td, .faults th { padding: 6px 12px 6px 0; } .faults td:nth-child(3) { white-space: nowrap; } .faults td:nth-child(4), .faults td:nth-child(5) { min-width: 190px; }
td.loss, td.pass, td.fail, td.inconclusive { font-weight: 600; }
td.pass, td.fail { white-space: nowrap; }
.incidents { font-size: 13px; } section[data-cases] > p { margin: 8px 0; }
.incidents td, .incidents th { padding: 3px 10px; white-space: nowrap; }
.incidents tbody tr[data-incident] { cursor: pointer; } .incidents tbody tr[data-incident]:hover { background: var(--panel); }
summary { cursor: pointer; margin-bottom: 8px; }
button { font: inherit; white-space: nowrap; font-size: 13px; color: inherit; background: var(--panel); border: 1px solid var(--control); border-radius: 6px; padding: 3px 12px; cursor: pointer; }
button.opener { font-size: inherit; padding: 0; background: none; border: 0; text-decoration: underline; text-decoration-color: var(--muted); text-underline-offset: 3px; }
.more { display: flex; gap: 8px; margin: 8px 0 0; } .more + .meta { display: none; }
`;

const timelineStyle = `
.timeline { --gutter: 84px; }
.run { position: relative; padding-bottom: 20px; } .run > h3 { position: relative; margin: 0; padding: 20px 0 2px; display: flex; align-items: center; gap: 12px; font-size: 17px; }
.chart { grid-column: 1 / -1; pointer-events: none; overflow: hidden; } .requests { height: 102px; } .trouble { height: 70px; } .latency { height: 134px; }
.chart .u-under, .chart .u-over { border-bottom: 1px solid var(--rule); } .chart-words { grid-column: 2; color: var(--muted); font-size: 13px; }
figure:not(.live) .chart { display: none; }
.lanes { position: relative; touch-action: pan-y; }
.lane { position: relative; display: grid; grid-template-columns: var(--gutter) minmax(0, 1fr); }
.lane-head { grid-column: 2; display: flex; flex-wrap: wrap; align-items: baseline; gap: 0 16px; padding: 9px 0 3px; }
.legend { list-style: none; display: flex; flex-wrap: wrap; gap: 0 12px; font-size: 12px; color: var(--muted); }
.legend li { white-space: nowrap; } .legend .key { margin-right: 5px; vertical-align: -1px; }
.lane svg, .overlay { display: block; width: 100%; }
.lane .key { display: inline-block; width: 14px; }
.lane svg svg { overflow: hidden; }
.plot { border-bottom: 1px solid var(--rule); } .plot, .gutter { overflow: visible; }
.overlay { position: absolute; top: 0; left: var(--gutter); width: calc(100% - var(--gutter)); height: 100%; pointer-events: none; }
.lanes text { font-size: 11.5px; fill: var(--muted); font-variant-numeric: tabular-nums; }
.lanes text.note { font-size: 12.5px; } .lanes text.on-state { font-size: 10.5px; fill: var(--on-state); font-weight: 600; } .lanes text.on-up { font-size: 10.5px; fill: var(--on-up); } .lanes text.on-fault { fill: var(--on-fault); font-weight: 600; }
.reading { display: none; position: sticky; top: 0; z-index: 1; padding: 4px 12px; background: var(--panel); border: 1px solid var(--rule); border-radius: 6px; }
.live .reading { display: block; } .reading table { width: 100%; font-size: 13px; } .reading td, .reading th { padding: 2px 8px; text-align: right; white-space: nowrap; border: 0; }
.reading tr > :first-child { text-align: left; padding-left: 0; min-width: 96px; } .reading tr > :last-child { text-align: left; width: 40%; }
.reading td { color: var(--ink); } .reading tbody th { color: var(--ink); font-weight: 600; }
.cursor { stroke: var(--ink); stroke-width: 1; visibility: hidden; } .live .cursor { visibility: visible; }
.slider { position: relative; display: none; padding-left: var(--gutter); } .live .slider { display: block; }
.slider input { display: block; width: calc(100% + 16px); margin: 2px -8px 0; accent-color: var(--focus); }
figcaption { margin-top: 8px; padding-left: var(--gutter); }
.grid { stroke: var(--grid); } .band { fill: var(--band); }
path { vector-effect: non-scaling-stroke; }
rect.phase { fill: var(--phase); stroke: var(--page); stroke-width: 2; }
.ok { fill: var(--ok); } .failed { fill: var(--failed); } 
.dropped { fill: var(--page); stroke: var(--muted); }
.key .planned { fill: var(--planned); stroke: none; } .key .p50 { fill: var(--p50); } .key .p99 { fill: var(--p99); } .key .max { fill: var(--max); }
.key .timeout { fill: var(--failed); } .key .dropped { stroke-width: 2; } .key .unknown { fill: var(--unknown-fill); stroke: var(--unknown); stroke-width: 2; }
g.loss { stroke: var(--loss); } g.loss .join { opacity: 0.2; } .key .loss { fill: var(--loss); }
.live g[data-incident] { cursor: pointer; } .reach { fill: transparent; stroke: none; } g[data-incident]:is(:hover, :focus) > line { stroke-width: 3; opacity: 1; } g[data-incident]:focus { outline: none; } g[data-incident]:focus .reach { stroke: var(--focus); stroke-width: 2; }
.logouts { fill: var(--loss); fill-opacity: 0.35; stroke: var(--loss); } g.logout { stroke: var(--loss); stroke-width: 1.5; }
.requested { fill: none; stroke: var(--requested); stroke-width: 1.5; stroke-dasharray: 4 2; } .confirmed { fill: var(--confirmed); }
.up { fill: var(--up); } .draining { fill: var(--draining); } .ejected { fill: var(--ejected); } .stopped { fill: var(--stopped); }  .dead { fill: var(--dead); }
`;

const storyStyle = `
dialog { width: min(1040px, calc(100vw - 32px)); max-height: calc(100vh - 32px); padding: 0 20px 20px; color: var(--ink); background: var(--page);
  border: 1px solid var(--control); border-radius: 10px; overflow: auto; }
dialog::backdrop { background: rgb(0 0 0 / 0.45); }
dialog header { position: sticky; top: 0; z-index: 1; display: flex; justify-content: space-between; align-items: center; gap: 16px;
  padding: 14px 0; background: var(--page); border-bottom: 1px solid var(--rule); }
dialog h2 { margin: 0; padding: 0; border: 0; display: block; font-size: 17px; } dialog h3 { margin: 16px 0 6px; }
dialog .short { max-height: 190px; overflow: auto; border-bottom: 1px solid var(--rule); margin-top: 10px; }
.requests-of-one td:last-child { white-space: normal; min-width: 220px; }
tr.chosen td, tr.proof td { background: var(--chosen); } tr.proof td:last-child { font-weight: 600; } tr.bad td { color: var(--fail); }
`;

const mediaStyle = `
@media (max-width: 800px) { .reading td, .reading th { padding: 2px 5px; font-size: 12px; } }
@media (max-width: 600px) {
  .legend li { white-space: normal; }
  body { padding: 20px 14px 48px; } .timeline { --gutter: 66px; } .lanes text { font-size: 10.5px; }
  h1 { font-size: 25px; } th, td { padding: 5px 8px; } .comparison th + th, .comparison td + th, .comparison td { min-width: 0; }
  .verdicts > li { flex-direction: column; gap: 4px; } figcaption { padding-left: 0; }
}
@media print {
  body { max-width: none; padding: 0; font-size: 12px; } 
  .reading, .slider, .cursor, .u-cursor-pt, button:not(.opener), dialog { display: none !important; }
  button.opener { text-decoration: none; }
  .scroll { overflow: visible; } .lane, tr, .verdicts > li { break-inside: avoid; } h2, h3 { break-after: avoid; }
  table { font-size: 11px; } .incidents { font-size: 9px; } th, td { padding: 3px 6px; } .incidents td, .incidents th { padding: 2px 5px; white-space: normal; } .matrix td, .matrix th, .comparison th + th, .comparison td + th, .comparison td { min-width: 0; } .matrix td span { font-size: 11px; white-space: normal; }
  * { print-color-adjust: exact; }
}
`;

/** The style sheet of the report: calm, light and dark, for screen and paper. */
const style = [plotStyle, textStyle, verdictStyle, tableStyle, timelineStyle, storyStyle, mediaStyle].join('');
