import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { expect } from 'chai';
import { attacks } from '#src/attacks/attacks/registry.js';
import { weakVariantNames } from '#src/attacks/weak-variants.js';
import { modeNames } from '#src/modes.js';
import { engines } from '#src/proxy/engines/registry.js';
import { routingPolicies } from '#src/proxy/routing-policies/registry.js';
import { reporters } from '#src/report/reporters/registry.js';
import { stores } from '#src/sessions/stores/registry.js';
import { strategies } from '#src/sessions/strategies/registry.js';
import { storeDescriptors } from '#src/shared/stores.js';
import { faults } from '#src/simulator/faults/kinds/registry.js';
import { withShop } from './backends/with-shop.js';

const root = path.resolve(import.meta.dirname, '../..');
const readme = readFileSync(path.join(root, 'README.md'), 'utf8');
const pages = readdirSync(path.join(root, 'docs')).map(file => readFileSync(path.join(root, 'docs', file), 'utf8'));
const prose = [readme, ...pages].join('\n');

/** What prose lists is checked against the registries: nothing is missing, nothing is promised that is not there. */
const listed: Record<string, readonly string[]> = {
  Modes: modeNames,
  'Routing policies': Object.keys(routingPolicies),
  Engines: Object.keys(engines),
  Strategies: Object.keys(strategies),
  Stores: Object.keys(stores),
  Faults: Object.keys(faults),
  Attacks: Object.keys(attacks),
  'Weak variants': weakVariantNames,
  Reporters: Object.keys(reporters),
  Scenarios: readdirSync(path.join(root, 'scenarios'))
    .filter(file => file.endsWith('.yaml'))
    .map(file => path.basename(file, '.yaml')),
  Commands: readdirSync(path.join(root, 'src/commands'))
    .filter(file => file.endsWith('.ts'))
    .filter(file => readFileSync(path.join(root, 'src/commands', file), 'utf8').includes('CommandModule<'))
    .map(file => path.basename(file, '.ts')),
};

describe('README', () => {
  for (const [title, names] of Object.entries(listed)) {
    it(`lists exactly the ${title.toLowerCase()} that exist`, () => {
      const rows = [...sectionOf(title).matchAll(/^\| `([^`]+)` /gm)].map(match => match[1]);
      expect(rows.toSorted()).to.deep.equal([...names].toSorted());
    });
  }

  it('has the first command before line 30', () => {
    expect(readme.split('\n').findIndex(line => line.startsWith('npm start'))).to.be.within(1, 30);
  });

  it('lists the requests about accounts that the shop answers', () =>
    withShop({}, async ({ url }) => {
      const { error } = Object(await (await fetch(`${url}/no-such-path`)).json());
      const known = String(error)
        .replace(/.*Known: /, '')
        .split(', ');
      const wanted = known.filter(place => /^\/(?:log|account|admin)/.test(place));
      const rows = [...sectionOf('Accounts').matchAll(/^\| `[A-Z]+ (\/[^`]+)` /gm)].map(match => match[1]);
      expect(wanted).to.have.length.greaterThan(10);
      expect(rows.toSorted()).to.deep.equal(wanted.toSorted());
    }));

  it('lists the variables that a backend reads', () => {
    const source = readFileSync(path.join(root, 'backends/environment.ts'), 'utf8');
    const read = source.matchAll(/variables\.([A-Z_]+)|'(SHOP_[A-Z_]+)'|\{ (SHOP_\w+): \w+, (SHOP_\w+): \w+ \}/g);
    const names = [...read].flatMap(([, ...found]) => found.filter(name => name !== undefined));
    const stores = Object.values(storeDescriptors).map(({ variable }) => variable);
    const rows = [...sectionOf('Environment of a backend').matchAll(/^\| `([A-Z_]+)` /gm)].map(match => match[1]);
    expect(rows.toSorted()).to.deep.equal([...new Set([...names, ...stores])].toSorted());
  });

  it('names no file that does not exist', () => {
    const named = [...prose.matchAll(/`((?:src|backends|scenarios|test|bench|scripts)\/[\w./-]+)`/g)].map(
      match => match[1] ?? '',
    );
    expect(named.length).to.be.greaterThan(15);
    expect(named.filter(file => !existsSync(path.join(root, file)))).to.deep.equal([]);
  });

  it('leads to no page that does not exist, and to every page that does', () => {
    const links = [...readme.matchAll(/\]\((docs\/[\w.-]+)\)/g)].map(match => match[1]);
    const files = readdirSync(path.join(root, 'docs')).map(file => `docs/${file}`);
    expect([...new Set(links)].toSorted()).to.deep.equal(files.toSorted());
  });

  it('shows evidence of every attack and every weak variant there is, from a run in which all went as it must', () => {
    const evidence = readFileSync(path.join(root, 'docs/evidence.md'), 'utf8');
    const missing = [...Object.keys(attacks), ...weakVariantNames].filter(name => !evidence.includes(`\`${name}\``));
    const again = 'Make it again: node dist/cli.js attack --markdown docs/evidence.md';
    expect(missing, again).to.deep.equal([]);
    expect(evidence, again).not.to.match(/SUCCEEDED|\*\*|not run/);
    expect(/^\| requirement .*$/m.exec(evidence)?.[0]).to.equal(
      `| requirement | attack | ${modeNames.map(mode => `\`${mode}\``).join(' | ')} |`,
    );
  });

  it('and the lock file name no registry host', () => {
    const lock = readFileSync(path.join(root, 'package-lock.json'), 'utf8');
    expect(lock).not.to.match(/"resolved"/);
  });
});

function sectionOf(title: string): string {
  return prose.split(/^#{2,3} /m).find(text => text.startsWith(`${title}\n`)) ?? '';
}
