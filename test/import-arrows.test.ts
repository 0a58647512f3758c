import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { isBuiltin } from 'node:module';
import path from 'node:path';
import { expect } from 'chai';

/**
 * Which part may import which. Every arrow that is not listed here fails this test.
 * Keys and values are the first folder under `src` (or the file that lies there), `backends`, or a package.
 */
const mayImport: Record<string, readonly string[]> = {
  'cli.ts': ['command-line.ts', 'commands', 'shared'],
  'command-line.ts': ['commands', 'shared'],
  commands: [
    'simulator',
    'proxy',
    'sessions',
    'attacks',
    'load',
    'report',
    'live',
    'conformance',
    'doctor',
    'hunt',
    'record',
    'shared',
    'modes.ts',
  ],
  proxy: ['shared'],
  sessions: ['shared'],
  simulator: ['shared', 'modes.ts'],
  attacks: ['simulator', 'shared', 'modes.ts'],
  report: ['simulator', 'shared', 'modes.ts'],
  conformance: ['simulator', 'report', 'shared', 'modes.ts'],
  hunt: ['simulator', 'shared', 'modes.ts'],
  live: ['report', 'simulator', 'shared', 'modes.ts'],
  record: ['simulator', 'shared'],
  load: [],
  doctor: ['shared'],
  backends: ['sessions', 'shared', 'modes.ts'],
  'modes.ts': ['shared'],
  shared: [],
};

/** The only files that may import a dependency. */
const homes: Record<string, RegExp> = {
  yargs: /^src\/(cli\.ts|command-line\.ts|commands\/)/,
  'http-proxy': /^src\/(proxy\/engines\/http-proxy|attacks\/weak\/unsigned-affinity)\.ts$/,
  ioredis: /^src\/(sessions\/stores\/redis(\.ts|\/)|simulator\/cluster\/redis-client\.ts$)/,
  pg: /^src\/sessions\/stores\/postgres(\.ts|\/)/,
  // Whatever else starts processes: workers of the proxy, and nothing in the proxy but what starts them.
  'node:cluster': /^src\/proxy\/workers\/worker-process\.ts$/,
  'node:child_process': /^src\/(doctor\/|simulator\/cluster\/|proxy\/restart\/(handover|systemd)\.ts$)/,
  autocannon: /^src\/load\//,
  undici: /^src\/(simulator|proxy\/pool\/health)/,
  'tough-cookie': /^src\/simulator\/users\//,
  mustache: /^src\/simulator\/cluster\/external\/external-proxy\.ts$/,
  yaml: /^src\/simulator\/scenario/,
  zod: /^src\/(live\/live-server\.ts$|record\/har\.ts$|simulator\/(scenario\/|plan\/plan-file|cluster\/store))/,
  pino: /^src\/proxy\/telemetry\/access-log\.ts$/,
  'prom-client': /^src\/proxy\/telemetry\/metrics\.ts$/,
  otplib: /^backends\/accounts\/second-factor\.ts$/,
  qrcode: /^backends\/accounts\/second-factor\.ts$/,
  'cli-table3': /^src\/(report\/(reporters\/|fitted-table\.ts)|commands\/)/,
  uplot: /^src\/(report\/(browser\/|html\/page\.ts$)|live\/page\/timeline\.ts$)/,
  selfsigned: /^src\/(proxy\/front\/tls-pair|attacks\/tools\/forge)\.ts$/,
};

/** The only modules of Node that what decides may import; of the last one the digests, not the chance. */
const harmless = new Set(['node:path', 'node:util', 'node:crypto']);

interface Arrow {
  readonly file: string;
  readonly from: string;
  readonly to: string;
}

/** Matches every way to load a module, in any quotes. It may match a comment, but it must not miss an import. */
const loading = /\b(?:from|import|require|getBuiltinModule)\s*\(?\s*(['"`])([^'"`\n]+)\1/g;

const root = path.resolve(import.meta.dirname, '../..');
const arrows = ['src', 'backends'].flatMap(folder => sources(folder).flatMap(file => arrowsOf(file)));

function sources(folder: string): string[] {
  return readdirSync(path.join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter(name => /\.(ts|mjs)$/.test(name))
    .map(name => path.posix.join(folder, name));
}

function arrowsOf(file: string, text = readFileSync(path.join(root, file), 'utf8')): Arrow[] {
  return [...text.matchAll(loading)].map(([, , to = '']) => ({ file, from: area(file), to: resolved(file, to) }));
}

/** Lists what a file loads at once: neither types nor what it imports on demand. */
function loadedBy(file: string): string[] {
  const text = readFileSync(path.join(root, file), 'utf8');
  const atOnce = /^(?:import|export) (?!type\b)[^;]*?from '([^']+)'/gm;
  return [...text.matchAll(atOnce)].map(([, to = '']) => resolved(file, to));
}

/** A file of ours as its path, a built-in module with `node:`, a package by its bare name. */
function resolved(file: string, specifier: string): string {
  if (specifier.startsWith('.')) return source(path.posix.join(path.posix.dirname(file), specifier));
  if (specifier.startsWith('#')) return source(specifier.slice(1));
  if (isBuiltin(specifier)) return `node:${specifier.replace(/^node:/, '')}`;
  return specifier.split('/', specifier.startsWith('@') ? 2 : 1).join('/');
}

function source(file: string): string {
  return file.replace(/\.js$/, '.ts');
}

function area(file: string): string {
  const [top, second = ''] = file.split('/');
  return top === 'src' ? second : (top ?? '');
}

describe('import arrows', () => {
  it('finds imports at all', () => {
    expect(arrows.length).to.be.greaterThan(10);
  });

  for (const [text, to] of [
    ["import { start } from '../proxy/proxy.js';", 'src/proxy/proxy.ts'],
    ['import type { A } from "#src/proxy/proxy.js"', 'src/proxy/proxy.ts'],
    ["import {\n  a,\n  type B,\n} from '../proxy/proxy.js';", 'src/proxy/proxy.ts'],
    ["const late = await import(\n  '../proxy/proxy.js'\n);", 'src/proxy/proxy.ts'],
    ['const late = import(`../proxy/proxy.js`);', 'src/proxy/proxy.ts'],
    ["type A = import('../proxy/proxy.js').A;", 'src/proxy/proxy.ts'],
    ["  import '../proxy/proxy.js';", 'src/proxy/proxy.ts'],
    ["export type * from '../proxy/proxy.js';", 'src/proxy/proxy.ts'],
    ["import proxy = require('../proxy/proxy.js');", 'src/proxy/proxy.ts'],
    ["import { spawn } from 'child_process';", 'node:child_process'],
    ["process.getBuiltinModule('node:child_process')", 'node:child_process'],
    ["import Command from 'ioredis/built/Command.js';", 'ioredis'],
    ["import { x } from '@scope/name/deep.js';", '@scope/name'],
  ] as const) {
    it(`sees ${text.replaceAll(/\s+/g, ' ').trim()}`, () => {
      expect(arrowsOf('src/sessions/cookie.ts', text)).to.deep.equal([
        { file: 'src/sessions/cookie.ts', from: 'sessions', to },
      ]);
    });
  }

  it('allows no arrow between areas but those of the design', () => {
    const ours = arrows.filter(arrow => /^(src|backends)\//.test(arrow.to));
    const wrong = ours.filter(({ from, to }) => area(to) !== from && !mayImport[from]?.includes(area(to)));
    expect(wrong.map(({ file, to }) => `${file} -> ${to}`)).to.deep.equal([]);
  });

  it('leads to nothing outside src and backends, and to nothing that is not there', () => {
    const local = arrows.filter(({ to }) => to.includes('/') && !/^(node:|@)/.test(to));
    const wrong = local.filter(({ to }) => !/^(src|backends)\//.test(to) || !existsSync(path.join(root, to)));
    expect(wrong.map(({ file, to }) => `${file} -> ${to}`)).to.deep.equal([]);
  });

  it('keeps each dependency in its home', () => {
    const wrong = arrows.filter(({ file, to }) => homes[to] !== undefined && !homes[to].test(file));
    expect(wrong.map(({ file, to }) => `${file} -> ${to}`)).to.deep.equal([]);
  });

  /** Its folder and its name: an implementation is one file, with a folder of the same name where one is too small. */
  function plugIn(file: string): { folder: string; name: string } | undefined {
    const place = /^(src\/.*\/(?:engines|strategies|stores|kinds|reporters|attacks))\/([^/]+?)(?:\.ts$|\/)/;
    const [, folder, name] = place.exec(file) ?? [];
    return folder === undefined || name === undefined ? undefined : { folder, name };
  }

  it('lets only its registry and its own files import an implementation', () => {
    const wrong = arrows.filter(({ file, to }) => {
      const [importer, imported] = [plugIn(file), plugIn(to)];
      if (imported === undefined) return false;
      // The stores and the strategies share one registry, beside their folders.
      if (file === `${path.posix.dirname(imported.folder)}/registry.ts`) return false;
      if (importer?.folder !== imported.folder) return imported.name !== 'registry';
      return importer.name !== 'registry' && importer.name !== imported.name;
    });
    expect(wrong.map(({ file, to }) => `${file} -> ${to}`)).to.deep.equal([]);
  });

  for (const [part, files, forbidden] of [
    ['a policy', /^routing-polic/, /^(affinity|pool|control|engines)\/|^(proxy\.ts|dispatch\/)/],
    ['affinity', /^affinity\//, /^(pool\/(?!member)|control|engines)|^(routing-polic|retry\.ts|proxy\.ts|dispatch\/)/],
    ['a health check', /^pool\/health/, /^(affinity|control|engines|pool\/(pool|member))|^(routing-polic|retry)/],
    ['the pool', /^pool\/(?!health)/, /^(affinity|control|engines|pool\/health)|^(proxy\.ts|dispatch\/)/],
    ['control', /^control\/control\.ts/, /^(affinity|engines|front)\/|^dispatch\/|^(proxy|serving)\.ts|^routing-polic/],
    ['an engine', /^engines\//, /^(affinity|pool|control)\/|^routing-polic|^(proxy\.ts|dispatch\/)/],
  ] as const) {
    it(`keeps ${part} apart from its neighbours in the proxy`, () => {
      const inProxy = (file: string) => (file.startsWith('src/proxy/') ? file.slice('src/proxy/'.length) : '');
      const its = arrows.filter(({ file }) => files.test(inProxy(file)));
      expect(its.length).to.be.greaterThan(0);
      const wrong = its.filter(({ to }) => forbidden.test(inProxy(to)));
      expect(wrong.map(({ file, to }) => `${file} -> ${to}`)).to.deep.equal([]);
    });
  }

  it('runs in no circle', () => {
    const inside = arrows.filter(({ to }) => /^(src|backends)\//.test(to));
    const left = new Set(inside);
    // A file that imports no file that is left is in no circle. What remains is a circle, or leads to one.
    for (let before = -1; before !== left.size; ) {
      before = left.size;
      const importing = new Set([...left].map(({ file }) => file));
      for (const arrow of left) if (!importing.has(arrow.to)) left.delete(arrow);
    }
    expect(inside.length).to.be.greaterThan(1000);
    expect([...left].map(({ file, to }) => `${file} -> ${to}`)).to.deep.equal([]);
  });

  it('loads no schema and no part of the lab into a serving proxy, but errors and processes', () => {
    const loaded = new Set(['src/commands/proxy.ts', 'src/commands/proxy/serve.ts']);
    for (const file of loaded) if (file.startsWith('src/')) for (const to of loadedBy(file)) loaded.add(to);
    expect(loaded).to.include('src/proxy/start-proxy.ts');
    const lab = /^zod$|^src\/simulator\/(?!errors\.ts$|cluster\/processes\/)/;
    expect([...loaded].filter(to => lab.test(to))).to.deep.equal([]);
  });

  it('has no folder of more than 20 files, folders of implementations apart', () => {
    const files = ['src', 'backends'].flatMap(sources);
    const folders = [...new Set(files.map(file => path.dirname(file)))].filter(it => !/\/(kinds|attacks)$/.test(it));
    const counts = folders.map(folder => [folder, files.filter(file => path.dirname(file) === folder).length] as const);
    expect(counts.filter(([, count]) => count > 20)).to.deep.equal([]);
  });

  it('lets attacks see the system only from outside: the lab that runs it, and nothing but HTTP in an attack itself', () => {
    const wrong = arrows.filter(({ file, from, to }) => {
      if (from !== 'attacks' || !/^(src|backends)\//.test(to)) return false;
      if (/^src\/attacks\/(own-app\/)?attacks\//.test(file)) return area(to) !== 'attacks';
      // An app of one's own is driven by its journey, as the simulated users do it.
      if (/^src\/attacks\/own-app\//.test(file) && /^src\/simulator\/(users|scenario\/journey)\//.test(to))
        return false;
      return area(to) === 'simulator' && !/^src\/simulator\/(cluster\/|errors\.ts$)/.test(to);
    });
    expect(wrong.map(({ file, to }) => `${file} -> ${to}`)).to.deep.equal([]);
  });

  it('keeps what decides pure: no I/O, no clock, no chance', () => {
    const deciding =
      /^src\/(simulator\/(checker\/(?!check-worker|judge-run)|history\/records|plan\/(plan|plan-checks)\.ts$|scenario\/(scenario|applicable-faults|checks|write)\.ts$|faults\/trigger\.ts$|cluster\/targets\.ts$|app-check\/advice\.ts$)|hunt\/|record\/infer\/|live\/(excerpt|export-scenario)\.ts$|report\/(reporters\/|html\/(?!page)|matrix[a-z-]*\.ts$)|attacks\/(plan|finding|evidence|weak-variants)\.ts|proxy\/(retry|routing-policies)\.ts$)/;
    const files = sources('src').filter(file => deciding.test(file));
    expect(files.length).to.be.greaterThan(15);
    const impure =
      /\bDate\.now\(|new Date\(\)|\bperformance\b|Math\.random|\brandom(?:Bytes|Int|UUID|Fill)|getRandomValues|\bprocess\.|\bset(Timeout|Interval|Immediate)\b/;
    const wrong = files.filter(file => impure.test(readFileSync(path.join(root, file), 'utf8')));
    expect(wrong).to.deep.equal([]);
    const doing = arrows.filter(({ file, to }) => deciding.test(file) && to.startsWith('node:') && !harmless.has(to));
    expect(doing.map(({ file, to }) => `${file} -> ${to}`)).to.deep.equal([]);
  });
});
