/**
 * Packs each program, with all that it imports, into few files: loading one module costs about a millisecond of CPU, and
 * a lab starts several programs of 100 to 300 modules. Written over what tsc has made of the same files, so that every
 * program has one path. Tests and benches import the modules as tsc left them.
 *
 *   node scripts/pack.mjs              (part of npm run build)
 *   node scripts/pack.mjs --package    (part of npm pack)
 *
 * With --package, dist becomes what the package ships: the programs and the entries of the library, without what npm
 * installs anyway, and their types. The next build makes dist again.
 */
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { build } from 'esbuild';

/** Programs and threads that are started by their path. Everything else is imported. */
const programs = [
  'src/cli.ts',
  'backends/shop.ts',
  'backends/witness.ts',
  'src/simulator/cluster/processes/janitor-process.ts',
  'src/simulator/history/part-worker.ts',
  'src/simulator/checker/check-worker.ts',
  'src/proxy/workers/worker.ts',
  'src/attacks/weak/unsigned-affinity.ts',
];

const root = path.resolve(import.meta.dirname, '..');
const dist = path.join(root, 'dist');
const isPackage = process.argv.includes('--package');
const { exports: entries } = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8'));
/** The files that other packages import, as in dist/sessions/index.js. */
const library = Object.values(entries).flatMap(entry => entry.default ?? []);
const out = isPackage ? path.join(dist, '.package') : dist;

const forClone = {
  entryPoints: programs,
  // Packages in CommonJS ask for Node's own modules by `require`, which an ES module has to make for itself.
  banner: {
    js: "import { createRequire as requireFrom } from 'node:module'; const require = requireFrom(import.meta.url);",
  },
  sourcemap: true,
  sourcesContent: false,
};
const forPackage = {
  entryPoints: [...programs, ...library.map(file => file.replace(/^\.\/dist\/(.*)\.js$/, 'src/$1.ts'))],
  packages: 'external',
  minify: true,
  charset: 'utf8',
  // shrinkScripts makes short names of these.
  chunkNames: 'packed/[hash]',
};

if (isPackage) rmSync(out, { recursive: true, force: true });
const { entryPoints, ...options } = isPackage ? forPackage : forClone;
// The package has no code twice. In a clone each program has its own files: fewer and larger ones load faster.
const groups = isPackage ? [entryPoints] : entryPoints.map(source => [source]);
const [metafile] = await Promise.all(groups.map(packTogether));

/** Packs these programs. What several of them or several commands share is one file, loaded when it is needed.
 * Returns the description of what esbuild wrote. */
async function packTogether(sources) {
  const { metafile } = await build({
    absWorkingDir: root,
    entryPoints: sources.map(source => ({ in: source, out: source.replace(/^src\/|\.ts$/g, '') })),
    outdir: out,
    splitting: true,
    chunkNames: 'packed/[name]-[hash]',
    bundle: true,
    platform: 'node',
    target: 'node20',
    format: 'esm',
    // package.json names what tsc has compiled; here it is the sources.
    alias: { '#src': path.join(root, 'src'), '#backends': path.join(root, 'backends') },
    plugins: [{ name: 'light', setup: useLightPackages }],
    // Looked up at run time, or not at all.
    external: ['pg-native'],
    logLevel: 'warning',
    metafile: true,
    ...options,
  });
  refuseNames(metafile);
  return metafile;
}

/** The pages: one script for each, and the style sheet of the live lab. Holdfast puts their text into the page. */
await build({
  absWorkingDir: root,
  entryPoints: {
    'live/page-script': 'src/live/page/main.ts',
    'live/page-style': 'src/live/page/style/main.css',
    'report/page-script': 'src/report/browser/main.ts',
    'backends/page-script': 'backends/page/main.ts',
  },
  outdir: out,
  bundle: true,
  minify: true,
  platform: 'browser',
  target: 'es2022',
  format: 'iife',
  logLevel: 'warning',
});
if (isPackage) {
  await shrinkScripts(metafile);
  shipOnlyPackage();
}

/**
 * Makes the scripts smaller after esbuild has packed them. A second minifier saves 20 KB of the package. Short names of
 * chunks save 10 KB, because gzip cannot shorten a hash. Related chunks are neighbours in the tarball.
 */
async function shrinkScripts(metafile) {
  const { minify } = await import('@swc/core');
  const firstInputs = Object.entries(metafile.outputs)
    .filter(([file]) => path.basename(path.dirname(file)) === 'packed')
    .map(([file, { inputs }]) => ({ chunk: path.basename(file), first: Object.keys(inputs)[0] ?? '' }))
    .sort((one, other) => (one.first < other.first ? -1 : 1));
  const names = new Map(firstInputs.map(({ chunk }, index) => [chunk, `${index.toString(36).padStart(2, '0')}.js`]));
  for (const file of readdirSync(out, { recursive: true }).filter(name => name.endsWith('.js'))) {
    const from = path.join(out, file);
    const text = readFileSync(from, 'utf8').replaceAll(/(?<=\/)\w{8}\.js(?=["'])/g, name => names.get(name) ?? name);
    const { code } = await minify(text, { module: true, ecma: 2022, compress: { passes: 3 }, mangle: true });
    rmSync(from);
    writeFileSync(path.join(path.dirname(from), names.get(path.basename(file)) ?? path.basename(file)), code);
  }
}

/** Adds the types, then puts all in the place of dist. Types that no entry exports keep no comments. */
function shipOnlyPackage() {
  const entryTypes = library.map(file => file.replace(/^\.\/dist\/(.*)\.js$/, '$1.d.ts'));
  const exported = findTypes(entryTypes, /^export [^']* from '(\.[^']+)\.js'/gm);
  for (const file of findTypes(entryTypes, /(?:from |import\()'(\.[^']+)\.js'/g)) {
    const text = readFileSync(path.join(dist, file), 'utf8');
    mkdirSync(path.dirname(path.join(out, file)), { recursive: true });
    writeFileSync(path.join(out, file), exported.has(file) ? text : text.replaceAll(/^ *\/\*\*[\s\S]*?\*\/\n/gm, ''));
  }
  for (const name of readdirSync(dist)) if (name !== '.package') rmSync(path.join(dist, name), { recursive: true });
  for (const name of readdirSync(out)) renameSync(path.join(out, name), path.join(dist, name));
  rmSync(out, { recursive: true });
}

/** Lists these files of types and all to which this pattern leads. */
function findTypes(files, pattern) {
  const found = new Set(files);
  for (const file of found) {
    const text = readFileSync(path.join(dist, file), 'utf8');
    for (const [, to] of text.matchAll(pattern)) found.add(path.join(path.dirname(file), `${to}.d.ts`));
  }
  return found;
}

/** Packs less of two packages than their main files load. A name that is missing here fails the build. */
function useLightPackages({ onResolve, onLoad }) {
  const contentsOf = {
    // yargs measures its help, which has no emojis. The package needs 20 ms of CPU to load its tables of them.
    'string-width': `import { stripVTControlCharacters } from 'node:util';
      export default text => Array.from(stripVTControlCharacters(text)).length;`,
    // Its main file also loads fetch, caches and mocks, which need 60 ms.
    undici: `export { default as Pool } from 'undici/lib/dispatcher/pool.js';`,
  };
  onResolve({ filter: /^(string-width|undici)$/ }, ({ kind, path }) =>
    kind === 'import-statement' ? { path, namespace: 'light' } : undefined,
  );
  onLoad({ filter: /./, namespace: 'light' }, ({ path }) => ({ contents: contentsOf[path], resolveDir: root }));
}

/** A package in CommonJS that is imported late has only its `default` once packed, though Node offers its names too: they
 * would be undefined. So it is written in one way: `const { default: name } = await import('package')`. */
function refuseNames({ inputs }) {
  for (const [file, { imports }] of Object.entries(inputs)) {
    for (const { kind, path: to, original } of imports) {
      if (kind !== 'dynamic-import' || inputs[to]?.format !== 'cjs') continue;
      const rightForm = new RegExp(`const \\{ default: \\w+ \\} = await import\\('${original}'\\)`);
      if (rightForm.test(readFileSync(path.join(root, file), 'utf8'))) continue;
      throw new Error(
        `${file} imports ${original}, which is CommonJS: write const { default: name } = await import('${original}')`,
      );
    }
  }
}
