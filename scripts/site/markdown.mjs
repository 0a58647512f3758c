import path from 'node:path';
import MarkdownIt from 'markdown-it';

/** A mistake in what the site is built from, in words for the reader of the terminal. */
export class SiteProblem extends Error {}

const descriptionMax = 200;
/** A longer line of code does not fit a phone, so the keyboard must be able to scroll it. */
const narrowColumns = 38;

const markdown = new MarkdownIt({ html: true });
const { rules } = markdown.renderer;

rules.table_open = (tokens, index, options, _env, self) => {
  const label = `Table of the section ${tokens[index].meta.section}`;
  return `<div class="table" role="group" tabindex="0" aria-label="${markdown.utils.escapeHtml(label)}">${self.renderToken(tokens, index, options)}`;
};
rules.table_close = () => '</table></div>\n';
rules.fence = (tokens, index) => renderCode(tokens[index].content);
rules.code_block = rules.fence;

/** Renders lines of code. */
export function renderCode(text) {
  const isWide = text.split('\n').some(line => line.length > narrowColumns);
  return `<pre${isWide ? ' tabindex="0"' : ''}><code>${markdown.utils.escapeHtml(text)}</code></pre>\n`;
}

export const escapeHtml = markdown.utils.escapeHtml;

/**
 * Parses a page. `file`: its path, for messages. `insert`: Markdown of the site, which replaces the comment
 * `<!-- replays -->`. Each link and each image is in `links` with its line; `set` changes where it leads.
 */
export function parsePage(file, text, insert) {
  const tokens = markdown.parse(text, {}).flatMap(token => (isReplays(token) ? parseInsert(insert) : [token]));
  const page = { file, title: path.posix.basename(file), description: '', headings: [], links: [], ids: new Set() };
  const lines = text.split('\n');
  let [line, section] = [1, ''];
  for (const [index, token] of tokens.entries()) {
    if (token.map !== null) line = token.map[0] + 1;
    if (token.type === 'heading_open') section = addHeading(page, token, textOf(tokens[index + 1]));
    if (token.type === 'table_open') token.meta = { section };
    // A cell without words is the header of nothing.
    if (token.type === 'th_open' && tokens[index + 1].content === '') token.tag = tokens[index + 2].tag = 'td';
    if (token.type === 'paragraph_open' && page.description === '') page.description = describe(tokens[index + 1]);
    if (token.type === 'html_block' && !token.meta?.isOurs) checkHtml(file, line, token);
    for (const child of token.children ?? []) addInline(page, child, lines, line);
  }
  page.render = () => markdown.renderer.render(tokens, markdown.options, {});
  page.tokens = tokens;
  return page;
}

function isReplays({ type, content }) {
  return type === 'html_block' && content.trim() === '<!-- replays -->';
}

/** Its tokens have no lines, because they are not in the file. */
function parseInsert(text = '') {
  return markdown.parse(text, {}).map(token => Object.assign(token, { map: null, meta: { isOurs: true } }));
}

/** Gives a heading the anchor that GitHub gives it. Returns its text. */
function addHeading(page, token, text) {
  const level = Number(token.tag.slice(1));
  const slug = text
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{M}\p{N}\p{Pc}\- ]/gu, '')
    .replaceAll(' ', '-');
  let id = slug;
  for (let count = 1; page.ids.has(id); count += 1) id = `${slug}-${count}`;
  page.ids.add(id);
  token.attrSet('id', id);
  if (level === 1) page.title = text;
  else page.headings.push({ level, id, text });
  return text;
}

function addInline(page, token, lines, line) {
  const name = { link_open: 'href', image: 'src' }[token.type];
  if (token.type === 'html_inline') checkHtml(page.file, line, token);
  if (name === undefined) return;
  const href = token.attrGet(name);
  const below = lines.slice(line - 1).findIndex(text => text.includes(href) || text.includes(decodeURI(href)));
  page.links.push({
    href,
    isImage: name === 'src',
    line: line + Math.max(0, below),
    set: (value, more = {}) => {
      for (const [key, text] of Object.entries({ [name]: value, ...more })) token.attrSet(key, String(text));
    },
  });
}

/** Comments vanish, `<br>` stays. Other HTML would not be checked, so the site refuses it. */
function checkHtml(file, line, token) {
  token.content = token.content.replaceAll(/<!--.*?-->/gs, '');
  const [tag] = token.content.replaceAll(/<br>/g, '').match(/<[^>]*>/) ?? [];
  if (tag === undefined) return;
  throw new SiteProblem(
    `${file}:${line}: found the HTML ${tag}, expected Markdown. Only <br> and comments may be HTML.`,
  );
}

function textOf(inline) {
  return (inline?.children ?? [])
    .map(({ type, content }) => (type === 'softbreak' || type === 'hardbreak' ? ' ' : content))
    .join('');
}

function describe(inline) {
  const text = textOf(inline);
  if (text.length <= descriptionMax) return text;
  const cut = text.slice(0, descriptionMax);
  return `${cut.slice(0, cut.lastIndexOf(' '))} …`;
}
