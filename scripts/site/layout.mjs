import { escapeHtml } from './markdown.mjs';

/** The site needs no script. Its style and pictures are its own files, and its frames are its replays. */
const policy = "default-src 'none'; style-src 'self' file:; img-src 'self' file: data:; frame-src 'self' file:";

/**
 * Renders a page of the site. No heading has an anchor with a colon, so `page:text` is free. `url`: its path in the site. `groups`: the navigation, a list of `{ title, entries }`.
 */
export function renderPage({ url, title, description, headings = [], body, groups, isFront = false }) {
  const up = '../'.repeat(url.split('/').length - 1);
  const pages = groups.flatMap(({ entries }) => entries);
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<meta name="description" content="${escapeHtml(description)}">
<title>${escapeHtml(isFront ? `${title}: what a dying server does to sessions` : `${title} · Holdfast`)}</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="${up}site.css">
</head>
<body${isFront ? ' class="front"' : ''}>
<a class="skip" href="#page:text">Skip to the text</a>
<header class="top"><a class="name" href="${up}index.html">Holdfast</a></header>
<details class="pages"><summary>All pages</summary>${renderPages(groups, url, up)}</details>
${renderContents(headings)}<main id="page:text">
${body}${renderNeighbours(pages, url, up)}</main>
</body>
</html>
`;
}

function renderPages(groups, current, up) {
  const entry = ({ title, url, children = [] }) => {
    const isOpen = url === current || children.some(child => child.url === current);
    const mark = url === current ? ' aria-current="page"' : '';
    const below = isOpen && children.length > 0 ? `<ul>${children.map(entry).join('')}</ul>` : '';
    return `<li><a href="${up}${url}"${mark}>${escapeHtml(title)}</a>${below}</li>`;
  };
  const group = ({ title, entries }) => `<h2>${escapeHtml(title)}</h2>\n<ul>${entries.map(entry).join('\n')}</ul>`;
  return `<nav aria-label="All pages">${groups.map(group).join('\n')}</nav>`;
}

function renderContents(headings) {
  const shown = headings.filter(({ level }) => level <= 3);
  if (shown.length < 2) return '';
  const items = shown.map(
    ({ level, id, text }) =>
      `<li class="level-${level}"><a href="#${encodeURIComponent(id)}">${escapeHtml(text)}</a></li>`,
  );
  return `<details class="contents"><summary>On this page</summary><nav aria-label="On this page"><ul>${items.join('\n')}</ul></nav></details>\n`;
}

function renderNeighbours(pages, url, up) {
  const place = pages.findIndex(page => page.url === url);
  if (place < 0) return '';
  const link = (page, rel, word) =>
    page === undefined
      ? ''
      : `<a rel="${rel}" href="${up}${page.url}"><small>${word}</small> ${escapeHtml(page.title)}</a>`;
  const links = link(pages[place - 1], 'prev', 'Before') + link(pages[place + 1], 'next', 'Next');
  return `<nav class="neighbours" aria-label="Reading order">${links}</nav>\n`;
}
