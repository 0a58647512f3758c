import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { expect } from 'chai';

/**
 * Who may import whom. Every arrow that is not listed here fails this test.
 * Keys and values are the first folder under `src` (or the file that lies there), `backends`, or a package.
 */
const shared = ['modes.ts', 'unknown-name.ts', 'duration.ts'];

const mayImport: Record<string, readonly string[]> = {
  'cli.ts': ['commands'],
  commands: ['simulator', 'proxy', 'sessions', 'load', 'report', ...shared],
  proxy: [...shared],
  sessions: ['unknown-name.ts'],
  simulator: [...shared],
  report: ['simulator'],
  load: [],
  backends: ['sessions', ...shared],
  'modes.ts': [],
  'unknown-name.ts': [],
  'duration.ts': [],
};

/** Where a dependency is at home: no other file imports it. */
const homes: Record<string, RegExp> = {
  yargs: /^src\/(cli\.ts|commands\/)/,
  'http-proxy': /^src\/proxy\/engines\/http-proxy\.ts$/,
  ioredis: /^src\/(sessions\/stores\/redis\.ts|simulator\/)/,
  'node:child_process': /^src\/simulator\/cluster\//,
  autocannon: /^src\/load\//,
  undici: /^src\/(simulator|proxy\/health)/,
  'tough-cookie': /^src\/simulator\/users\//,
  yaml: /^src\/simulator\/scenario/,
  zod: /^src\/simulator\/scenario/,
  'prom-client': /^src\/proxy\/metrics\.ts$/,
  'cli-table3': /^src\/(report\/reporters|commands)\//,
};

interface Arrow {
  readonly file: string;
  readonly from: string;
  readonly to: string;
}

const root = path.resolve(import.meta.dirname, '../..');
const arrows = ['src', 'backends'].flatMap(folder => sources(folder).flatMap(arrowsOf));

function sources(folder: string): string[] {
  return readdirSync(path.join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter(name => name.endsWith('.ts'))
    .map(name => path.posix.join(folder, name));
}

function arrowsOf(file: string): Arrow[] {
  const text = readFileSync(path.join(root, file), 'utf8');
  const specifiers = [
    ...text.matchAll(
      /(?:^|\n)\s*(?:import|export)\b[^;'"]*?from\s+'([^']+)'|import\('([^']+)'\)|(?:^|\n)import '([^']+)'/g,
    ),
  ];
  return specifiers.map(match => {
    const to = match[1] ?? match[2] ?? match[3] ?? '';
    return { file, from: area(file), to: to.startsWith('.') || to.startsWith('#') ? resolved(file, to) : to };
  });
}

function resolved(file: string, specifier: string): string {
  const target = specifier
    .replace(/^#src\//, 'src/')
    .replace(/^#backends\//, 'backends/')
    .replace(/\.js$/, '.ts');
  return specifier.startsWith('#') ? target : path.posix.join(path.posix.dirname(file), target);
}

function area(file: string): string {
  const [top, second = ''] = file.split('/');
  return top === 'src' ? second : (top ?? '');
}

describe('import arrows', () => {
  it('finds imports at all', () => {
    expect(arrows.length).to.be.greaterThan(10);
  });

  it('allows no arrow between areas but those of the design', () => {
    const ours = arrows.filter(arrow => /^(src|backends)\//.test(arrow.to));
    const wrong = ours.filter(({ from, to }) => area(to) !== from && !mayImport[from]?.includes(area(to)));
    expect(wrong.map(({ file, to }) => `${file} -> ${to}`)).to.deep.equal([]);
  });

  it('keeps each dependency in its home', () => {
    const wrong = arrows.filter(({ file, to }) => homes[to] !== undefined && !homes[to].test(file));
    expect(wrong.map(({ file, to }) => `${file} -> ${to}`)).to.deep.equal([]);
  });

  it('lets no implementation import a sibling', () => {
    const plugins = /^(src\/.*\/(?:engines|routing-policies|strategies|stores|faults|reporters))\/([^/]+)\.ts$/;
    const wrong = arrows.filter(({ file, to }) => {
      const [, folder, name] = plugins.exec(file) ?? [];
      const [, otherFolder, other] = plugins.exec(to) ?? [];
      return folder !== undefined && folder === otherFolder && name !== 'registry' && other !== name;
    });
    expect(wrong.map(({ file, to }) => `${file} -> ${to}`)).to.deep.equal([]);
  });

  it('keeps what decides pure: no I/O, no clock, no chance', () => {
    const deciding =
      /^src\/(simulator\/(checker\/|plan\.ts|expectations\.ts|verdict\.ts)|report\/reporters\/|proxy\/(retry\.ts|routing-policies\/))/;
    const files = sources('src').filter(file => deciding.test(file));
    expect(files.length).to.be.greaterThan(15);
    const impure =
      /from 'node:(fs|net|http|child_process|timers)|Date\.now\(|performance\.now\(|Math\.random\(|process\./;
    const wrong = files.filter(file => impure.test(readFileSync(path.join(root, file), 'utf8')));
    expect(wrong).to.deep.equal([]);
  });
});
