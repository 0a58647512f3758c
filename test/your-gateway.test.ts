import { readFileSync } from 'node:fs';
import { expect } from 'chai';
import { packageFile, presetNames } from '#src/shared/package.js';
import {
  backendPlaceholders,
  drainPlaceholders,
  parseTemplate,
  templatePlaceholders,
} from '#src/simulator/cluster/external/external-proxy.js';
import { externalProxyKeys } from '#src/simulator/scenario/own-system.js';

const page = readFileSync(packageFile('docs/your-gateway.md'), 'utf8');

/** Returns the text of one section. */
function section(title: string): string {
  return page.split(/^## /m).find(text => text.startsWith(`${title}\n`)) ?? expect.fail(`no section ${title}`);
}

/** Returns the names in backticks of the first column of the tables in a section. */
function firstColumn(title: string): string[] {
  const cells = [...section(title).matchAll(/^\| (`[^|]*`) \|/gm)].map(([, cell = '']) => cell);
  return cells.flatMap(cell => [...cell.matchAll(/`([^`]+)`/g)].map(([, name = '']) => name));
}

/** The name in `{{name}}` or `{{#name}}..{{/name}}`. */
const nameIn = (placeholder: string) => /[a-z][a-z.-]*/.exec(placeholder)?.[0] ?? '';

describe('docs/your-gateway.md', () => {
  it('has a row for every preset', () => {
    expect(firstColumn('The presets')).to.have.members([...presetNames()]);
  });

  it('has a row for every key', () => {
    expect(firstColumn('The keys')).to.include.members(Object.keys(externalProxyKeys));
  });

  it('has a row for every placeholder, and names no other', () => {
    const known = [...templatePlaceholders, 'backends', ...backendPlaceholders];
    expect([...new Set(firstColumn('The template').map(nameIn))]).to.have.members([...new Set(known)]);
    for (const name of drainPlaceholders) expect(section('The keys'), name).to.include(`\`{${name}}\``);
  });

  it('shows a section of backends that can be filled in', () => {
    const [, example = ''] = /```\n( *\{\{#backends\}\}[\s\S]*?)```/.exec(page) ?? [];
    expect([...parseTemplate(example, 'example').uses]).to.include('backends.port');
  });
});
