import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { cp, mkdir, mkdtemp, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';

export const run = promisify(execFile);
export const root = path.resolve(import.meta.dirname, '../../..');

/** The package, packed from a copy of the sources, so that the build of the clone stays as it is. */
export interface Packed {
  readonly tarball: string;
  readonly bytes: number;
  /** The copy from which it was packed. */
  readonly clone: string;
  /** An empty project. */
  readonly project: string;
  remove(): Promise<void>;
}

/** What scripts/pack.mjs reads, and what the package ships. */
const sources = ['package.json', 'scripts', 'src', 'backends', 'dist'];

/** Leaves out the largest folders that the package does not get. */
function isNeeded(file: string): boolean {
  return !/^dist\/(?:test|bench|packed)$/.test(path.relative(root, file));
}

export async function packPackage(): Promise<Packed> {
  const folder = await mkdtemp(path.join(tmpdir(), 'holdfast-package-'));
  const clone = path.join(folder, 'clone');
  const project = path.join(folder, 'project');
  const { files } = await readManifest(root);
  const copied = new Set([...sources, ...files.filter(name => !name.startsWith('!')), 'README.md', 'LICENSE']);
  for (const name of copied) {
    if (!existsSync(path.join(root, name))) continue;
    await cp(path.join(root, name), path.join(clone, name), { recursive: true, filter: isNeeded });
  }
  await symlink(path.join(root, 'node_modules'), path.join(clone, 'node_modules'));
  await run(process.execPath, ['scripts/pack.mjs', '--package'], { cwd: clone });
  await run(process.execPath, ['scripts/documents.mjs', '--package'], { cwd: clone });
  const { stdout } = await run('npm', ['pack', '--json', '--ignore-scripts', '--pack-destination', folder], {
    cwd: clone,
  });
  await run(process.execPath, ['scripts/documents.mjs', '--restore'], { cwd: clone });
  const [{ filename }] = JSON.parse(stdout);
  const tarball = path.join(folder, filename);
  await mkdir(project);
  await writeFile(path.join(project, 'package.json'), '{ "type": "module" }');
  const remove = () => rm(folder, { recursive: true, force: true });
  return { tarball, bytes: (await stat(tarball)).size, clone, project, remove };
}

/** Puts the package into the project, and links these packages of the clone: an installation without npm. */
export async function unpackInto({ tarball, project }: Packed, packages: readonly string[]): Promise<string> {
  const modules = path.join(project, 'node_modules');
  const unpacked = path.join(modules, 'holdfast');
  await mkdir(unpacked, { recursive: true });
  await run('tar', ['-xzf', tarball, '-C', unpacked, '--strip-components=1']);
  for (const name of packages) {
    const link = path.join(modules, name);
    await mkdir(path.dirname(link), { recursive: true });
    await symlink(path.join(root, 'node_modules', name), link);
  }
  return unpacked;
}

/** Waits for the end of a command, also one that fails. */
export function end(started: Promise<{ readonly stdout: string; readonly stderr: string }>) {
  return started.then(
    said => ({ code: 0, ...said }),
    ({ code, stdout, stderr }) => ({ code, stdout, stderr }),
  );
}

interface Manifest {
  readonly version: string;
  readonly files: readonly string[];
  readonly scripts: Readonly<Record<string, string>>;
  readonly exports: Readonly<Record<string, unknown>>;
  readonly dependencies: Readonly<Record<string, string>>;
}

export async function readManifest(folder: string): Promise<Manifest> {
  return JSON.parse(await readFile(path.join(folder, 'package.json'), 'utf8'));
}
