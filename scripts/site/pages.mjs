import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import { renderPage } from './layout.mjs';
import { escapeHtml, parsePage, renderCode, SiteProblem } from './markdown.mjs';

const { posix } = path;
const sourceBytesMax = 500_000;
const frontPages = ['README.md', 'CONTRIBUTING.md', 'CHANGELOG.md'];

/**
 * Reads README.md, CONTRIBUTING.md, CHANGELOG.md and docs/ below `root`, and every file to which they link. Returns the
 * files of the site: a map from the path to the contents. `external`: the links to other sites. Throws `SiteProblem` with
 * every link that leads nowhere.
 */
export function buildPages(root, replays) {
  const parts = collectParts(root, replays);
  const external = [];
  const problems = [...parts.values()].flatMap(part => connectLinks(part, parts, external));
  if (problems.length > 0) throw new SiteProblem(problems.join('\n'));
  const groups = readGroups(parts, replays);
  const shown = [...parts.values()].filter(({ kind }) => kind !== 'made');
  const files = new Map(shown.map(part => [part.url, renderPart(part, groups)]));
  return { files, external, links: shown.reduce((sum, { links }) => sum + links.length, 0) };
}

/** Follows the links from page to page. Returns a part of the site for each file: its `url`, `links`, and how to render it. */
function collectParts(root, replays) {
  const made = (replays?.files ?? []).map(file => ({ file, url: file, kind: 'made', links: [], ids: new Set() }));
  const parts = new Map(made.map(part => [part.file, part]));
  const waiting = [...frontPages, ...listPages(root)].filter(file => existsSync(path.join(root, file)));
  for (const file of waiting) {
    if (parts.has(file)) continue;
    const part = readPart(root, file, replays);
    parts.set(file, part);
    for (const { href } of part.links) {
      const target = targetOf(file, href)?.file;
      if (target !== undefined && isInside(target) && existsSync(path.join(root, target)))
        waiting.push(pageOf(root, target));
    }
  }
  return parts;
}

function listPages(root) {
  const docs = path.join(root, 'docs');
  if (!existsSync(docs))
    throw new SiteProblem(`${docs} does not exist. Name the folder of the repository with --root.`);
  const names = readdirSync(docs, { recursive: true, encoding: 'utf8' }).filter(name => name.endsWith('.md'));
  return names.sort().map(name => posix.join('docs', name));
}

/** Whether a file is in the repository. No file outside it gets a page. */
function isInside(file) {
  return file.split('/')[0] !== '..';
}

/** Returns the file that shows a file: a folder shows its README.md, if it has one. */
function pageOf(root, file) {
  const readme = posix.join(file, 'README.md');
  return existsSync(path.join(root, readme)) ? readme : file;
}

/** Returns the file and the anchor of a link. Undefined: the link leads to another site. */
function targetOf(from, href) {
  if (/^[a-z][a-z\d+.-]*:/i.test(href)) return undefined;
  const [place, anchor = ''] = href.split('#').map(decodeURIComponent);
  const file = place === '' ? from : posix.join(posix.dirname(from), place).replace(/\/$/, '');
  return { file, anchor };
}

function readPart(root, file, replays) {
  const place = path.join(root, file);
  const part = { file, links: [], ids: new Set() };
  if (statSync(place).isDirectory()) return readFolder(part, place);
  const bytes = readFileSync(place);
  if (file.endsWith('.md')) {
    const url = file.replace(/README\.md$/, 'index.md').replace(/\.md$/, '.html');
    const page = parsePage(file, bytes.toString('utf8'), file === 'README.md' ? replays?.markdown : undefined);
    return { ...page, url, kind: 'page' };
  }
  if (file.endsWith('.png')) return { ...part, url: file, kind: 'picture', bytes };
  if (bytes.includes(0) || bytes.length > sourceBytesMax) {
    throw new SiteProblem(
      `${file} is no text of at most ${sourceBytesMax} bytes, so the site cannot show it. Remove the links to it.`,
    );
  }
  return { ...part, url: `${file}.html`, kind: 'source', text: bytes.toString('utf8') };
}

/** Reads a folder. It links to its files, so these are in the site, too. */
function readFolder(part, place) {
  const entries = readdirSync(place, { withFileTypes: true }).sort((a, b) => a.name.localeCompare(b.name));
  const links = entries
    .filter(entry => entry.isFile())
    .map(({ name }) => {
      const link = {
        href: `${posix.basename(part.file)}/${name}`,
        line: 1,
        set: value => Object.assign(link, { url: value }),
      };
      return Object.assign(link, { name });
    });
  return { ...part, url: `${part.file}/index.html`, kind: 'folder', links };
}

/** Points each link of a part to its page. Returns a sentence for each link that leads nowhere. */
function connectLinks(part, parts, external) {
  return part.links.flatMap(link => {
    const target = targetOf(part.file, link.href);
    if (target === undefined) {
      external.push({ href: link.href, place: `${part.file}:${link.line}` });
      link.set(link.href, { rel: 'noreferrer' });
      return [];
    }
    const to = parts.get(target.file) ?? parts.get(posix.join(target.file, 'README.md'));
    const problem = findProblem(link, target, to);
    if (problem !== undefined) return [`${part.file}:${link.line}: the link to ${link.href} ${problem}`];
    const url = posix.relative(posix.dirname(part.url), to.url) || posix.basename(to.url);
    const anchor = target.anchor === '' ? '' : `#${encodeURIComponent(target.anchor)}`;
    link.set(target.file === part.file ? anchor || url : url + anchor, link.isImage ? sizeOf(to.bytes) : {});
    return [];
  });
}

function findProblem({ isImage }, { file, anchor }, to) {
  if (to === undefined)
    return `leads to ${file}, which is no file of the repository. Correct the link, or add the file.`;
  if (isImage && to.kind !== 'picture') return `leads to ${file}, expected a picture in PNG.`;
  if (anchor === '' || to.ids.has(anchor)) return undefined;
  return `names the anchor #${anchor}, but ${file} has no heading for it. Correct the anchor.`;
}

/** Reads the width and the height of a PNG, so that the page keeps room for it. */
function sizeOf(png) {
  return { width: png.readUInt32BE(16), height: png.readUInt32BE(20), loading: 'lazy' };
}

/** Reads the navigation from docs/README.md: a group for each heading, an entry for the first link of each row. */
function readGroups(parts, replays) {
  const index = parts.get('docs/README.md');
  if (index === undefined) throw new SiteProblem('docs/README.md does not exist. It has the order of the pages.');
  const groups = [];
  let isFirst = false;
  for (const [place, { type, children }] of index.tokens.entries()) {
    if (type === 'heading_open' && index.tokens[place].tag === 'h2') {
      groups.push({ title: index.tokens[place + 1].content, entries: [] });
    }
    if (type === 'tr_open') isFirst = true;
    const link = isFirst ? children?.find(child => child.type === 'link_open') : undefined;
    if (link === undefined) continue;
    isFirst = false;
    const url = posix.join('docs', link.attrGet('href').replace(/#.*/, ''));
    const page = [...parts.values()].find(part => part.url === url);
    if (page === undefined)
      throw new SiteProblem(`docs/README.md: a row begins with the link to ${link.attrGet('href')}, expected a page.`);
    groups.at(-1)?.entries.push({
      url,
      title: titleOf(page, children[children.indexOf(link) + 1].content),
      children: childrenOf(page, parts),
    });
  }
  groups[0]?.entries.push(...(replays?.entries ?? []));
  return groups;
}

/** Returns the title of an entry. A link that has words, such as `the Express example`, is shorter than the title. */
function titleOf(page, linkText) {
  if (page.file === 'README.md') return 'Overview';
  return linkText.endsWith('.md') ? page.title : linkText[0].toUpperCase() + linkText.slice(1);
}

/** Returns the pages in the folder that has the name of a page: those of docs/conformance/ for docs/conformance.md. */
function childrenOf(page, parts) {
  const folder = page.file.replace(/\.md$/, '');
  const children = [...parts.values()].filter(part => part.kind === 'page' && posix.dirname(part.file) === folder);
  return children.map(({ url, title }) => ({ url, title: title.split(':')[0] }));
}

function renderPart(part, groups) {
  const { url, file, kind } = part;
  if (kind === 'picture') return part.bytes;
  if (kind === 'page') return renderPage({ ...part, body: part.render(), groups, isFront: file === 'README.md' });
  const description = `The ${kind === 'folder' ? 'folder' : 'file'} ${file} of Holdfast.`;
  const body =
    kind === 'source'
      ? renderCode(part.text)
      : `<ul>${part.links.map(link => `<li><a href="${link.url}">${escapeHtml(link.name)}</a></li>`).join('\n')}</ul>`;
  return renderPage({ url, title: file, description, body: `<h1>${escapeHtml(file)}</h1>\n${body}`, groups });
}
