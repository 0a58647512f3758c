/**
 * Packs each program, with all that it imports, into few files: loading one module costs about a millisecond of CPU, and
 * a lab starts several programs of 100 to 300 modules. Written over what tsc has made of the same files, so that every
 * program has one path. Tests and benches import the modules as tsc left them.
 *
 *   node scripts/pack.mjs      (part of npm run build)
 */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { build } from 'esbuild';

/** What is started by its path, from its source; everything else is imported. */
const programs = {
  cli: 'src/cli.ts',
  'backends/shop': 'backends/shop.ts',
  'simulator/cluster/janitor-process': 'src/simulator/cluster/janitor-process.ts',
  'proxy/workers/worker': 'src/proxy/workers/worker.ts',
  'attacks/weak/unsigned-affinity': 'src/attacks/weak/unsigned-affinity.ts',
};

const root = path.resolve(import.meta.dirname, '..');

const { metafile } = await build({
  absWorkingDir: root,
  entryPoints: Object.entries(programs).map(([out, source]) => ({ in: source, out })),
  outdir: 'dist',
  // What several programs or commands share is one file, loaded when it is needed.
  splitting: true,
  chunkNames: 'packed/[name]-[hash]',
  bundle: true,
  platform: 'node',
  target: 'node20',
  format: 'esm',
  // package.json names what tsc has compiled; here it is the sources.
  alias: { '#src': path.join(root, 'src'), '#backends': path.join(root, 'backends') },
  // Looked up at run time, or not at all.
  external: ['pg-native'],
  // Packages in CommonJS ask for Node's own modules by `require`, which an ES module has to make for itself.
  banner: {
    js: "import { createRequire as requireFrom } from 'node:module'; const require = requireFrom(import.meta.url);",
  },
  sourcemap: true,
  sourcesContent: false,
  logLevel: 'warning',
  metafile: true,
});
refuseNames(metafile);

/** A package in CommonJS that is imported late has only its `default` once packed, though Node offers its names too: they
 * would be undefined. */
function refuseNames({ inputs }) {
  const late = Object.entries(inputs).flatMap(([file, { imports }]) =>
    imports.filter(({ kind, path: to }) => kind === 'dynamic-import' && inputs[to]?.format === 'cjs').map(() => file),
  );
  const named = late.filter(file =>
    /const \{ (?!default:)[^}]*\} = await import\('[^.#]/.test(readFileSync(path.join(root, file), 'utf8')),
  );
  if (named.length > 0) throw new Error(`takes names from a package in CommonJS by import(): ${named.join(', ')}`);
}
