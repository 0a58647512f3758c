import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { expect } from 'chai';
import { livePage } from '#src/live/page-file.js';
import { packageFile } from '#src/shared/package.js';

describe('the file of the page of the live lab', () => {
  const { html, contentSecurityPolicy } = livePage();
  const parts = { script: textBetween('<script>', '</script>'), style: textBetween('<style>', '</style>') };

  it('allows its own script and style, requests to its origin, and nothing else', () => {
    expect(contentSecurityPolicy.split('; ')).to.deep.equal([
      "default-src 'none'",
      "connect-src 'self'",
      `script-src ${digest(parts.script)}`,
      `style-src ${digest(parts.style)}`,
      'img-src data:',
      "base-uri 'none'",
      "form-action 'none'",
      "frame-ancestors 'none'",
    ]);
  });

  it('has the keys of docs/live.md in its help', () => {
    const inHelp = [...html.matchAll(/<kbd>([^<]*)<\/kbd><\/dt><dd>([^<]*)</g)].map(([, key, what]) => [key, what]);
    const [, table = ''] =
      /\| key \| what it does \|\n\|-+\|-+\|\n((?:\|.*\n)+)/.exec(readFileSync(packageFile('docs/live.md'), 'utf8')) ??
      [];
    const inDocs = table
      .trim()
      .split('\n')
      .map(row =>
        row
          .replaceAll('`', '')
          .split('|')
          .slice(1, -1)
          .map(cell => cell.trim()),
      );
    expect(inDocs).to.have.length.greaterThan(10);
    expect(inHelp).to.deep.equal(inDocs);
  });

  it('loads nothing later', () => {
    const markup = html.replace(parts.script, '').replace(parts.style, '');
    expect(markup).to.not.match(/\bsrc=|@import|url\(/);
    expect([...markup.matchAll(/href="([^"]*)"/g)].map(([, address]) => address)).to.deep.equal(['data:,']);
    expect(parts.style).to.not.match(/@import|url\(/);
  });

  it('has at most 60 KB of script beside uPlot', () => {
    const own = readFileSync(packageFile('dist/live/page-script.js'), 'utf8');
    expect(parts.script.endsWith(own)).to.equal(true);
    expect(own.length).to.be.greaterThan(10_000).and.lessThan(60_000);
  });

  function textBetween(start: string, end: string): string {
    return html.slice(html.indexOf(start) + start.length, html.indexOf(end));
  }
});

function digest(text: string): string {
  return `'sha256-${createHash('sha256').update(text).digest('base64')}'`;
}
