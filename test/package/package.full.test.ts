import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { isBuiltin } from 'node:module';
import path from 'node:path';
import { checkPackage, createPackageFromTarballData } from '@arethetypeswrong/core';
import { expect } from 'chai';
import { build, transform } from 'esbuild';
import { publint } from 'publint';
import { end, type Packed, packPackage, readManifest, root, run, unpackInto } from './packed.js';

/** What a user of the package writes. It names each public entry and type. */
const app = `import { createServer } from 'node:http';
import fastify from 'fastify';
import { type AppSession, type Sessions, SessionGone, sessions, type SessionsOptions } from 'holdfast/sessions';
import { expressSessions } from 'holdfast/sessions/express';
import { fastifySessions } from 'holdfast/sessions/fastify';

declare module 'holdfast/sessions' {
  interface AppData {
    cart?: string[];
  }
}

const options: SessionsOptions = { store: 'memory', cookie: { name: 'shop' }, limits: { idleMs: 60_000 } };
const kept: Sessions = await sessions(options);
export const middleware = expressSessions(kept);

async function add(session: AppSession, sku: string): Promise<string[] | undefined> {
  const { cart } = await session.change(data => {
    data.cart = [...(data.cart ?? []), sku];
  });
  // @ts-expect-error: an edit must not be async
  await session.change(async data => data.cart).catch(() => undefined);
  return cart;
}

const app = fastify();
await app.register(fastifySessions(kept));
app.get('/', async ({ session }) => ({ cart: await add(session, 'tea') }));
const { headers, body } = await app.inject('/');

const server = createServer(
  kept.listener(async (_request, response, session) => {
    await session.login('anna');
    response.end(session.user);
  }),
).listen(0, '127.0.0.1', async () => {
  const address = server.address();
  const port = typeof address === 'object' ? address?.port : 0;
  const response = await fetch(\`http://127.0.0.1:\${port}/\`);
  console.log(body, String(headers['set-cookie']).startsWith('shop-visitor='), await response.text(), new SessionGone().status, new SessionGone().name);
  server.close();
  await kept.close();
});
`;

const compilerOptions = { strict: true, target: 'es2022', noEmit: true, types: ['node'] };
/** One project checks every declaration that it loads, without those of the DOM, which a server does not have. */
const projects = {
  node16: { module: 'node16', moduleResolution: 'node16', lib: ['es2022'], skipLibCheck: false },
  bundler: { module: 'esnext', moduleResolution: 'bundler', skipLibCheck: true },
};

/** The whole package. */
const packedBytesMax = 660_000;

/** What the shipped documents may not name: other parts of the clone. */
const ofClone = /(?:^|\/)(?:test|bench|src|scripts)\/|\.map$|\.tsbuildinfo$|\.ts(?<!\.d\.ts)$/;

describe('the package', function () {
  this.timeout(120_000);
  let packed: Packed;
  let folder: string;
  let files: string[];

  before(async () => {
    packed = await packPackage();
    const { dependencies } = await readManifest(root);
    // What a test of the library needs, besides what npm would install.
    const others = ['fastify', '@types/node', 'undici-types'];
    folder = await unpackInto(packed, [...Object.keys(dependencies), ...others]);
    const entries = await readdir(folder, { recursive: true, withFileTypes: true });
    files = entries
      .filter(entry => entry.isFile())
      .map(entry => path.relative(folder, path.join(entry.parentPath, entry.name)))
      .sort();
  });
  after(() => packed.remove());

  it('has at most 660 KB packed', () => {
    expect(packed.bytes).to.be.within(100_000, packedBytesMax);
  });

  it('holds programs, scenarios, documents and types, and nothing else of the clone', () => {
    expect(files).to.include.members([
      'CHANGELOG.md',
      'LICENSE',
      'README.md',
      'dist/cli.js',
      'dist/sessions/index.d.ts',
      'docs/cli.md',
      'examples/proxies/haproxy/preset.yaml',
      'man/holdfast.1',
      'scenarios/kill-one.yaml',
      'scenarios/scenario.schema.json',
    ]);
    expect(files.filter(file => ofClone.test(file))).to.deep.equal([]);
  });

  it('holds no file twice, and no import that only works in the clone', async () => {
    const seen = new Map<string, string>();
    const wrong: string[] = [];
    for (const file of files.filter(name => /\.(?:js|mjs|ts)$/.test(name))) {
      const text = await readFile(path.join(folder, file), 'utf8');
      const digest = createHash('sha256').update(text).digest('hex');
      const twin = seen.get(digest);
      if (twin !== undefined) wrong.push(`${file} is ${twin}`);
      seen.set(digest, file);
      if (/['"]#(?:src|backends|test)\//.test(text)) wrong.push(`${file} imports by a name of the clone`);
    }
    expect(seen.size).to.be.greaterThan(20);
    expect(wrong).to.deep.equal([]);
  });

  it('depends on no name of a class or a function, because these are shortened', async () => {
    const texts = await readSources();
    const wrong = texts.filter(({ text }) => /\b(?:new\.target|constructor)\.name\b/.test(text));
    expect(wrong.map(({ file }) => file)).to.deep.equal([]);
  });

  it('holds each file that the programs read or start by its path', async () => {
    const texts = await readSources();
    const shipped = /^(?:dist|examples|scenarios)\b/;
    const named = texts.flatMap(({ text }) =>
      [...text.matchAll(/\bpackageFile\('([^']+)'\)/g)].map(([, name = '']) => name),
    );
    expect(named).to.include.members(['dist/cli.js', 'scenarios', 'dist/backends/shop.js']);
    expect(named.filter(name => shipped.test(name) && !existsSync(path.join(folder, name)))).to.deep.equal([]);
  });

  it('needs exactly its dependencies', async () => {
    const { dependencies } = await readManifest(folder);
    const imported = await packagesImportedBy(folder, files);
    expect([...imported].sort()).to.deep.equal(Object.keys(dependencies).sort());
  });

  it('has documents whose links lead to files of the package', async () => {
    const broken: string[] = [];
    for (const file of files.filter(name => name.endsWith('.md'))) {
      const text = await readFile(path.join(folder, file), 'utf8');
      // Pictures are left out: their texts say what they show.
      for (const [, to = ''] of text.matchAll(/(?<!!\[[^\]]*)\]\(([^)#\s]+)(?:#[^)]*)?\)/g)) {
        if (/^[a-z]+:/.test(to) || existsSync(path.join(folder, path.dirname(file), to))) continue;
        broken.push(`${file}: ${to}`);
      }
    }
    expect(broken).to.deep.equal([]);
  });

  it('names a page that it does not hold without a link, and says so', async () => {
    const readme = await readFile(path.join(folder, 'README.md'), 'utf8');
    expect(files).to.not.include('docs/bench.md');
    expect(readme).to.include('| docs/bench.md |').and.include('is in the repository, and not in this package');
    expect(readme).to.include('[docs/cli.md](docs/cli.md)');
  });

  it('leaves the pages of the clone as they were', async () => {
    const { clone } = packed;
    expect(await readFile(path.join(clone, 'README.md'), 'utf8')).to.include('[docs/bench.md](docs/bench.md)');
    expect(existsSync(path.join(clone, '.documents'))).to.equal(false);
  });

  it('gives publint nothing to say', async () => {
    const { buffer } = new Uint8Array(await readFile(packed.tarball));
    const { messages } = await publint({ pack: { tarball: buffer }, strict: true });
    expect(messages).to.deep.equal([]);
  });

  it('has types that every way of resolution for ES modules finds', async () => {
    const result = await checkPackage(createPackageFromTarballData(new Uint8Array(await readFile(packed.tarball))));
    // The package is ESM only: these two ways are for CommonJS.
    const forCommonJs = new Set(['node10', 'node16-cjs']);
    const problems = result.types === false ? [result] : result.problems;
    const wrong = problems.filter(problem => !('resolutionKind' in problem && forCommonJs.has(problem.resolutionKind)));
    expect(wrong).to.deep.equal([]);
  });

  it('type-checks in a strict project with moduleResolution node16, and with bundler', async () => {
    const { project } = packed;
    await writeFile(path.join(project, 'app.ts'), app);
    for (const [name, options] of Object.entries(projects)) {
      const config = { compilerOptions: { ...compilerOptions, ...options }, files: ['app.ts'] };
      await writeFile(path.join(project, `tsconfig.${name}.json`), JSON.stringify(config));
    }
    // One process checks both.
    const tsc = path.join(root, 'node_modules/typescript/bin/tsc');
    const configs = Object.keys(projects).map(name => path.join(project, `tsconfig.${name}.json`));
    const { stdout } = await run(process.execPath, [tsc, '-b', ...configs]).catch(error => error);
    expect(stdout).to.equal('');
  });

  it('is a library that runs on this version of Node.js, and its errors have their names', async () => {
    const { project } = packed;
    const { code } = await transform(app, { loader: 'ts', format: 'esm', target: 'node20' });
    await writeFile(path.join(project, 'app.js'), code);
    const { stdout } = await run(process.execPath, [path.join(project, 'app.js')]);
    expect(stdout.trim()).to.equal('{"cart":["tea"]} true anna 401 SessionGone');
  });

  it('is a program that knows its version, all commands, and the name by which it was started', async () => {
    const { version } = await readManifest(root);
    expect((await holdfast('--version')).stdout).to.equal(`${version}\n`);
    expect((await holdfast('--help')).stdout).to.include('npx holdfast start');
    const { code, stderr } = await holdfast('run', 'kil-one');
    expect({ code, stderr }).to.deep.include({ code: 3 });
    expect(stderr).to.include('unknown scenario "kil-one". Did you mean "kill-one"?');
  });

  /** Runs the program in the project. */
  function holdfast(...words: readonly string[]) {
    return end(run(process.execPath, [path.join(folder, 'dist/cli.js'), ...words], { cwd: packed.project }));
  }
});

async function readSources(): Promise<{ readonly file: string; readonly text: string }[]> {
  const found = ['src', 'backends'].map(async place => {
    const names = await readdir(path.join(root, place), { recursive: true });
    return names.filter(name => name.endsWith('.ts')).map(name => path.join(place, name));
  });
  const files = (await Promise.all(found)).flat();
  return Promise.all(files.map(async file => ({ file, text: await readFile(path.join(root, file), 'utf8') })));
}

/** Lists the packages that the shipped programs and presets load, and those that they look up by name. */
async function packagesImportedBy(folder: string, files: readonly string[]): Promise<Set<string>> {
  const pageScripts = /\/page-script\.js$/;
  const code = files.filter(file => /^(?:dist|examples\/proxies)\/.*\.m?js$/.test(file) && !pageScripts.test(file));
  const { metafile } = await build({
    absWorkingDir: folder,
    entryPoints: code,
    outdir: 'out',
    splitting: true,
    write: false,
    metafile: true,
    bundle: true,
    packages: 'external',
    platform: 'node',
    format: 'esm',
    logLevel: 'silent',
  });
  const external = Object.values(metafile.inputs).flatMap(({ imports }) => imports.filter(one => one.external));
  const found = new Set(external.map(one => one.path).filter(name => !isBuiltin(name)));
  for (const file of code) {
    const text = await readFile(path.join(folder, file), 'utf8');
    for (const [, name = ''] of text.matchAll(/import\.meta\.resolve\("([\w@/-]+)"\)/g)) found.add(name);
  }
  return new Set([...found].map(name => name.split('/', name.startsWith('@') ? 2 : 1).join('/')));
}
