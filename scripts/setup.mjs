/**
 * What `npm start` and `npm test` run first: looks what is missing, installs it, says what it did.
 * Packages (npm ci), the build (tsc, then pack.mjs), and the programs that src/shared/tools.mjs names for the command:
 * redis-server and memcached always, with --test a Chromium, proxies and more, with --containers podman, kubectl and more.
 * With nothing missing it only looks, which takes well under a second. Exit code 4: something is missing that it may
 * not install; the last line then is what to type.
 *
 *   node scripts/setup.mjs [--test | --containers | --build]
 */
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { findInstaller, InstallProblem, install, planInstall, runQuietly } from '../src/doctor/install.mjs';
import { findProgram, isAtLeast, nodeLeast, tools } from '../src/shared/tools.mjs';

// An old Node.js has no import.meta.dirname, and must still be told that it is too old.
const root = path.resolve(fileURLToPath(import.meta.url), '../..');
const needs = process.argv.slice(2);
const sourceFolders = ['src', 'backends', 'test', 'bench'];

checkNode();
const installTools = planTools(chooseTools().filter(isMissing));
// Each mostly waits: for the network, for the disk. Neither is left half done when the other fails.
const done = await Promise.allSettled([installPackages().then(build), installTools()]);
for (const { reason } of done) if (reason !== undefined) stop(reason);

function checkNode() {
  if (isAtLeast(process.versions.node, nodeLeast)) return;
  const message = `Holdfast needs Node.js ${nodeLeast} or later; this is ${process.versions.node}.`;
  stop(new InstallProblem(message, 'nvm install 20   # or any later version'));
}

async function installPackages() {
  const installed = path.join(root, 'node_modules/.package-lock.json');
  const wanted = path.join(root, 'package-lock.json');
  if (existsSync(installed) && statSync(installed).mtimeMs >= statSync(wanted).mtimeMs) return;
  say('installing npm packages (npm ci)');
  await runQuietly(
    'npm',
    ['ci', '--include=dev', '--include=optional', '--no-audit', '--no-fund', '--loglevel=error'],
    { retry: 'npm ci', folder: root },
  );
}

/** Rebuilds all when any source differs from the last build, and from nothing, so that no deleted file lives on. */
async function build() {
  const stamp = path.join(root, 'dist/.sources');
  const now = fingerprint();
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === now) return;
  say('building (tsc)');
  rmSync(path.join(root, 'dist'), { recursive: true, force: true });
  await runQuietly(process.execPath, [path.join(root, 'node_modules/typescript/bin/tsc'), '-b'], {
    retry: 'npm run build',
    folder: root,
  });
  await runQuietly(process.execPath, [path.join(root, 'scripts/pack.mjs')], { retry: 'npm run build', folder: root });
  writeFileSync(stamp, now);
}

function fingerprint() {
  const hash = createHash('sha256').update(process.versions.node);
  for (const file of [
    'package.json',
    'package-lock.json',
    'tsconfig.json',
    'scripts/pack.mjs',
    ...sourceFolders.flatMap(filesBelow),
  ]) {
    const { size, mtimeMs } = statSync(path.join(root, file));
    hash.update(`${file} ${size} ${mtimeMs}\n`);
  }
  return hash.digest('hex');
}

function filesBelow(folder) {
  return readdirSync(path.join(root, folder), { recursive: true, withFileTypes: true })
    .filter(entry => entry.isFile())
    .map(entry => path.relative(root, path.join(entry.parentPath ?? entry.path, entry.name)))
    .sort();
}

/** Returns the tools that this command needs: those of `npm start`, `npm test` or `npm run test:containers`. */
function chooseTools() {
  if (needs.includes('--build')) return [];
  const names = ['start', ...['test', 'containers'].filter(name => needs.includes(`--${name}`))];
  const isGiven = existsSync(process.env.CHROMIUM_PATH ?? '');
  return Object.entries(tools)
    .filter(([name, { setUpFor = [], onlyLinux }]) => {
      if (onlyLinux && process.platform !== 'linux') return false;
      return setUpFor.some(each => names.includes(each)) && !(name === 'chromium' && isGiven);
    })
    .map(([, tool]) => tool);
}

/** Returns what installs the tools. Stops when this script may not install them. */
function planTools(missing) {
  if (missing.length === 0) return async () => {};
  const plan = planInstall(missing, findInstaller());
  const names = missing.map(tool => tool.commands[0]).join(', ');
  const uses = missing.map(({ commands, use }) => `${commands[0]} (for ${use})`).join(', ');
  if (!plan.isAllowed) stop(new InstallProblem(`missing: ${uses}.`, plan.line));
  return async () => {
    say(`installing ${names}: ${plan.line}`);
    await install(plan);
    const still = missing.filter(isMissing).map(tool => tool.commands[0]);
    if (still.length > 0)
      throw new InstallProblem(
        `still missing after "${plan.line}": ${still.join(', ')}.`,
        `install ${still.join(', ')}`,
      );
  };
}

function isMissing(tool) {
  return findProgram(tool.commands) === undefined;
}

function say(text) {
  process.stderr.write(`setup: ${text}\n`);
}

/** @returns {never} */
function stop(problem) {
  if (!(problem instanceof InstallProblem)) throw problem;
  process.stderr.write(`setup: ${problem.message} Type this, then try again:\n  ${problem.remedy}\n`);
  process.exit(4);
}
