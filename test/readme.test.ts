import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import { expect } from 'chai';
import { attacks } from '#src/attacks/attacks/registry.js';
import { weakVariantNames } from '#src/attacks/weak-variants.js';
import { modeNames } from '#src/modes.js';
import { engines } from '#src/proxy/engines/registry.js';
import { routingPolicies } from '#src/proxy/routing-policies.js';
import { compare } from '#src/report/comparison.js';
import { reporters } from '#src/report/reporters/registry.js';
import { stores, strategies } from '#src/sessions/registry.js';
import { storeDescriptors } from '#src/shared/stores.js';
import { faults } from '#src/simulator/faults/kinds/registry.js';
import { withShop } from './backends/with-shop.js';
import { sampleRuns } from './report/sample-runs.js';

const root = path.resolve(import.meta.dirname, '../..');
const pages = readdirSync(path.join(root, 'docs')).filter(file => file.endsWith('.md'));
const files = [
  'README.md',
  'CONTRIBUTING.md',
  'CHANGELOG.md',
  'examples/express/README.md',
  'examples/operate/README.md',
  ...pages.map(file => `docs/${file}`),
];
/** The pages to which the cells of docs/conformance.md link. */
const exchangePages = readdirSync(path.join(root, 'docs/conformance')).map(file => `docs/conformance/${file}`);
const texts = new Map([...files, ...exchangePages].map(file => [file, readFileSync(path.join(root, file), 'utf8')]));
const readme = textOf('README.md');
const prose = [...texts.values()].join('\n');

/** What the pages list is checked against the registries: nothing is missing, and nothing is listed that does not exist. */
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
  it('has the first command before line 30', () => {
    expect(readme.split('\n').findIndex(line => line.startsWith('npm start'))).to.be.within(1, 30);
  });

  it('has fewer than 200 lines', () => {
    expect(readme.split('\n')).to.have.length.below(200);
  });

  it('shows a comparison with the rows that a run of today has, for every mode', () => {
    const [head = '', body = ''] = readme.split('\n├').map(part => part.slice(part.indexOf('\n│')));
    const cellsOf = (part: string) => part.split('\n').map(line => line.split('│').map(cell => cell.trim()));
    const lines = cellsOf(head).filter(cells => cells.length > 2);
    const labels = (lines[0] ?? []).map((_, at) =>
      lines
        .map(cells => cells[at])
        .join(' ')
        .trim(),
    );
    const measures = compare(sampleRuns()).rows.map(({ label }) => label);
    expect(labels).to.deep.equal(['', 'mode', ...measures, '']);
    expect(cellsOf(body).flatMap(([, mode = '']) => (mode === '' ? [] : [mode]))).to.deep.equal(modeNames);
  });

  it('names the command of the live lab, and shows pictures of at most 200 KB that scripts make', () => {
    expect(readme).to.include('\nnode dist/cli.js live\n');
    const pictures = linksOf('README.md').filter(({ file }) => file.endsWith('.png'));
    expect(pictures.map(({ file }) => file)).to.deep.equal(['docs/report.png', 'docs/live.png']);
    for (const { file } of pictures) {
      expect(statSync(path.join(root, file)).size, file)
        .to.be.greaterThan(20_000)
        .and.at.most(200 * 1024);
      expect(textOf('CONTRIBUTING.md'), file).to.include(`\`${file}\``);
    }
  });

  it('links to the index of the pages, and both together link to every page', () => {
    const linked = ['README.md', 'docs/README.md'].flatMap(linksOf).map(({ file }) => file);
    expect(linked).to.include('docs/README.md');
    expect(linked).to.include.members(files.filter(file => file !== 'CHANGELOG.md'));
  });
});

describe('the pages', () => {
  for (const [title, names] of Object.entries(listed)) {
    it(`list exactly the ${title.toLowerCase()} that exist`, () => {
      const rows = [...sectionOf(title).matchAll(/^\| `([^`]+)` /gm)].map(match => match[1]);
      expect(rows.toSorted()).to.deep.equal([...names].toSorted());
    });
  }

  it('name the stores and the strategies that `sessions` takes, and where each store has its epochs', () => {
    const cell = (option: string) => new RegExp(`^\\| ${option} \\| (.*)$`, 'm').exec(sectionOf('Options'))?.[1] ?? '';
    const namesIn = (text: string) => [...new Set([...text.matchAll(/`([\w-]+)`/g)].map(match => match[1]))].toSorted();
    expect(namesIn(cell('`store`, `url`'))).to.deep.equal(Object.keys(stores).toSorted());
    expect(namesIn(cell('`strategy`'))).to.deep.equal(Object.keys(strategies).toSorted());
    const [, epochs = ''] = textOf('docs/sessions.md').split('\n| store | the epoch of the user |');
    const [table = ''] = epochs.split('\n\n');
    expect(namesIn([...table.matchAll(/^\| (`[^`]+`) /gm)].join(' '))).to.deep.equal(Object.keys(stores).toSorted());
  });

  it('hold the tables that scripts/reference.mjs writes', function () {
    this.timeout(60_000);
    const { status, stderr } = spawnSync(process.execPath, ['scripts/reference.mjs', '--check'], {
      cwd: root,
      encoding: 'utf8',
    });
    expect(status, stderr).to.equal(0);
  });

  it('have a text in every cell of a generated table', () => {
    const parts = [...prose.matchAll(/<!-- reference: ([a-z-]+) -->\n(\|[\s\S]*?)<!-- end -->/g)];
    expect(parts.length).to.be.greaterThan(8);
    const empty = parts.flatMap(([, name, table = '']) =>
      table.split('\n').flatMap(line => (/\| \|/.test(line) ? [`${name}: ${line}`] : [])),
    );
    expect(empty).to.deep.equal([]);
  });

  it('say first what the reader can do after reading, unless they are generated', () => {
    const others = pages.filter(file => !/^#[^\n]*\n\nAfter this page /.test(textOf(`docs/${file}`)));
    expect(others).to.deep.equal(['evidence.md']);
  });

  it('list the requests about accounts that the shop answers', () =>
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

  it('list the variables that a backend reads', () => {
    const source = readFileSync(path.join(root, 'backends/environment.ts'), 'utf8');
    const read = source.matchAll(/variables\.([A-Z_]+)|'(SHOP_[A-Z_]+)'|\{ (SHOP_\w+): \w+, (SHOP_\w+): \w+ \}/g);
    const names = [...read].flatMap(([, ...found]) => found.filter(name => name !== undefined));
    const stores = Object.values(storeDescriptors).map(({ variable }) => variable);
    const rows = [...sectionOf('Environment of a backend').matchAll(/^\| `([A-Z_]+)` /gm)].map(match => match[1]);
    expect(rows.toSorted()).to.deep.equal([...new Set([...names, ...stores])].toSorted());
  });

  it('name no file that does not exist', () => {
    const named = [...prose.matchAll(/`((?:src|backends|scenarios|test|bench|scripts)\/[\w./-]+)`/g)].map(
      match => match[1] ?? '',
    );
    expect(named.length).to.be.greaterThan(15);
    expect(named.filter(file => !existsSync(path.join(root, file)))).to.deep.equal([]);
  });

  it('link to no file and no heading that does not exist', () => {
    const broken = [...files, ...exchangePages].flatMap(from =>
      linksOf(from).flatMap(({ link, file, anchor }) => {
        if (!existsSync(path.join(root, file))) return [`${from}: ${link}`];
        return anchor === '' || anchorsOf(file).includes(anchor) ? [] : [`${from}: ${link}`];
      }),
    );
    expect(broken).to.deep.equal([]);
  });

  it('show evidence of every attack and every weak variant, from a run in which every result was as it must be', () => {
    const evidence = textOf('docs/evidence.md');
    const missing = [...Object.keys(attacks), ...weakVariantNames].filter(name => !evidence.includes(`\`${name}\``));
    const again = 'Make it again: node dist/cli.js attack --markdown docs/evidence.md';
    expect(missing, again).to.deep.equal([]);
    expect(evidence, again).not.to.match(/SUCCEEDED|\*\*|not run/);
    // A probe without a try at full strength shows nothing about the modes.
    expect(evidence, again).not.to.match(/\| 0 \|$/m);
    expect(/^\| requirement .*$/m.exec(evidence)?.[0]).to.equal(
      `| requirement | attack | ${modeNames.map(mode => `\`${mode}\``).join(' | ')} |`,
    );
  });
});

describe('package-lock.json', () => {
  it('names no registry host', () => {
    const lock = readFileSync(path.join(root, 'package-lock.json'), 'utf8');
    expect(lock).not.to.match(/"resolved"/);
  });
});

function textOf(file: string): string {
  return texts.get(file) ?? '';
}

/** Returns the links of a page to files of this repository, each as a path from its root. */
function linksOf(from: string): { readonly link: string; readonly file: string; readonly anchor: string }[] {
  return [...textOf(from).matchAll(/\]\((?!https?:)([^)\s]+)\)/g)].map(([, link = '']) => {
    const [target = '', anchor = ''] = link.split('#');
    const file = target === '' ? from : path.posix.join(path.posix.dirname(from), target);
    return { link, file, anchor };
  });
}

/** Returns the anchors of the headings of a page, as GitHub makes them. */
function anchorsOf(file: string): string[] {
  return [...textOf(file).matchAll(/^#{1,4} (.+)$/gm)].map(([, heading = '']) =>
    heading
      .toLowerCase()
      .replaceAll(/[^\w -]/g, '')
      .replaceAll(' ', '-'),
  );
}

function sectionOf(title: string): string {
  const sections = pages.flatMap(file => textOf(`docs/${file}`).split(/^#{2,3} /m));
  return sections.find(text => text.startsWith(`${title}\n`)) ?? '';
}
