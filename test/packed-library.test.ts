import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { expect } from 'chai';
import { transform } from 'esbuild';

const run = promisify(execFile);
const root = path.resolve(import.meta.dirname, '../..');

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
  console.log(body, String(headers['set-cookie']).startsWith('shop-visitor='), await response.text(), new SessionGone().status);
  server.close();
  await kept.close();
});
`;

const compilerOptions = { strict: true, target: 'es2022', noEmit: true, types: ['node'], skipLibCheck: false };

describe('packed library', () => {
  let folder: string;

  before(async function () {
    this.timeout(60_000);
    folder = await mkdtemp(path.join(tmpdir(), 'holdfast-packed-'));
    const { stdout } = await run('npm', ['pack', '--json', '--ignore-scripts', '--pack-destination', folder], {
      cwd: root,
    });
    const [{ filename = '' } = {}] = JSON.parse(stdout);
    const modules = path.join(folder, 'node_modules');
    await mkdir(path.join(modules, 'holdfast'), { recursive: true });
    await run('tar', [
      '-xzf',
      path.join(folder, filename),
      '-C',
      path.join(modules, 'holdfast'),
      '--strip-components=1',
    ]);
    // Neither ioredis nor pg: a store that is not used needs no client.
    for (const name of ['fastify', 'fastest-levenshtein', '@types', 'undici-types']) {
      await symlink(path.join(root, 'node_modules', name), path.join(modules, name));
    }
    await writeFile(path.join(folder, 'package.json'), '{ "type": "module" }');
    await writeFile(path.join(folder, 'app.ts'), app);
  });
  after(() => rm(folder, { recursive: true, force: true }));

  it('type-checks in a strict project with moduleResolution nodenext, and with bundler', async () => {
    const projects = Object.entries({ nodenext: 'nodenext', bundler: 'esnext' });
    for (const [moduleResolution, module] of projects) {
      const config = { compilerOptions: { ...compilerOptions, module, moduleResolution }, files: ['app.ts'] };
      await writeFile(path.join(folder, `tsconfig.${moduleResolution}.json`), JSON.stringify(config));
    }
    // One process checks both.
    const tsc = path.join(root, 'node_modules/typescript/bin/tsc');
    const files = projects.map(([name]) => path.join(folder, `tsconfig.${name}.json`));
    const { stdout } = await run(process.execPath, [tsc, '-b', ...files]).catch(error => error);
    expect(stdout).to.equal('');
  });

  it('runs on this version of Node.js without the client of a store that is not used', async () => {
    const { code } = await transform(app, { loader: 'ts', format: 'esm', target: 'node20' });
    await writeFile(path.join(folder, 'app.js'), code);
    const { stdout } = await run(process.execPath, [path.join(folder, 'app.js')]);
    expect(stdout.trim()).to.equal('{"cart":["tea"]} true anna 401');
  });

  it('contains no test, no bench and no source map', async () => {
    const files = await readdir(path.join(folder, 'node_modules/holdfast'), { recursive: true });
    expect(files).to.include('dist/sessions/index.d.ts');
    expect(files.filter(file => /(?:^|\/)(?:test|bench)\/|\.map$|\.tsbuildinfo$/.test(file))).to.deep.equal([]);
  });
});
