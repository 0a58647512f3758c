/**
 * What `npm start` and `npm test` run first: looks what is missing, installs it, says what it did.
 * Packages (npm ci), the build (tsc, then pack.mjs), redis-server, memcached, and with --test a Chromium and a curl.
 * With nothing missing it only looks, which takes well under a second. Exit code 4: something is missing that it may
 * not install; the last line then is what to type.
 *
 *   node scripts/setup.mjs [--test | --build]
 */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { accessSync, constants, existsSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';

const root = path.resolve(import.meta.dirname, '..');
const needs = process.argv.slice(2);
const sourceFolders = ['src', 'backends', 'test', 'bench'];

/** Tools that come from the system: how to recognise each, and its package by package manager. */
const tools = {
  redis: {
    commands: ['redis-server', 'valkey-server'],
    why: 'a real Redis for the redis mode',
    packages: { 'apt-get': 'redis-server', brew: 'redis', dnf: 'valkey', apk: 'redis' },
  },
  memcached: {
    commands: ['memcached'],
    why: 'a real memcached for the memcached mode',
    packages: { 'apt-get': 'memcached', brew: 'memcached', dnf: 'memcached', apk: 'memcached' },
  },
  chromium: {
    commands: ['chromium', 'chromium-headless-shell', 'chromium-browser', 'google-chrome'],
    why: 'a real browser for the page and report tests',
    // The same engine without windows: half the CPU time of the tests in a browser.
    packages: { 'apt-get': 'chromium-headless-shell', brew: '--cask chromium', dnf: 'chromium', apk: 'chromium' },
  },
  curl: {
    commands: ['curl'],
    why: 'a real client for the proxy tests',
    packages: { 'apt-get': 'curl', brew: 'curl', dnf: 'curl', apk: 'curl' },
  },
};

/** How each package manager is called, and whether it must be root to install. */
const managers = {
  'apt-get': { prepare: ['update', '-qq'], install: ['install', '-y', '-qq', '--no-install-recommends'], root: true },
  dnf: { install: ['install', '-y', '-q'], root: true },
  apk: { install: ['add', '--no-cache', '-q'], root: true },
  brew: { install: ['install', '-q'], root: false },
};

checkNode();
installPackages();
build();
if (!needs.includes('--build')) for (const tool of [tools.redis, tools.memcached]) provide(tool);
if (needs.includes('--test') && !existsSync(process.env.CHROMIUM_PATH ?? '')) provide(tools.chromium);
if (needs.includes('--test')) provide(tools.curl);

function checkNode() {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  if (major > 20 || (major === 20 && minor >= 19)) return;
  stop(
    `Holdfast needs Node.js 20.19 or later; this is ${process.versions.node}.`,
    'nvm install 20   # or any later version',
  );
}

function installPackages() {
  const installed = path.join(root, 'node_modules/.package-lock.json');
  const wanted = path.join(root, 'package-lock.json');
  if (existsSync(installed) && statSync(installed).mtimeMs >= statSync(wanted).mtimeMs) return;
  say('installing npm packages (npm ci)');
  run('npm', ['ci', '--include=dev', '--include=optional', '--no-audit', '--no-fund', '--loglevel=error'], 'npm ci');
}

/** Rebuilds all when any source differs from the last build, and from nothing, so that no deleted file lives on. */
function build() {
  const stamp = path.join(root, 'dist/.sources');
  const now = fingerprint();
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === now) return;
  say('building (tsc)');
  rmSync(path.join(root, 'dist'), { recursive: true, force: true });
  run(process.execPath, [path.join(root, 'node_modules/typescript/bin/tsc'), '-b'], 'npm run build');
  run(process.execPath, [path.join(root, 'scripts/pack.mjs')], 'npm run build');
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

function provide(tool) {
  if (tool.commands.some(onPath)) return;
  const manager = Object.keys(managers).find(onPath);
  const name = tool.commands[0];
  if (manager === undefined) stop(`${name} is missing (${tool.why}).`, `install ${name} and put it on PATH`);
  const { prepare, install, root: needsRoot } = managers[manager];
  const words = [...install, ...tool.packages[manager].split(' ')];
  const line = [manager, ...words.filter(word => !/^-q+$/.test(word))].join(' ');
  if (needsRoot && process.getuid?.() !== 0) stop(`${name} is missing (${tool.why}).`, `sudo ${line}`);
  say(`installing ${name}: ${line}`);
  if (prepare !== undefined) run(manager, prepare, line);
  run(manager, words, line);
  if (manager === 'apt-get') leaveOff(tool.packages[manager]);
  if (!tool.commands.some(onPath)) stop(`${name} is still missing after "${line}".`, `install ${name}`);
}

/** Where systemd runs, Debian's packages start their service whatever RUNLEVEL says, and at every boot. Nobody asked for
 * that: Holdfast starts its own servers. A package without a service makes this fail, which is as good. */
function leaveOff(service) {
  if (existsSync('/run/systemd/system')) spawnSync('systemctl', ['disable', '--now', service], { stdio: 'ignore' });
}

function onPath(command) {
  return (process.env.PATH ?? '').split(path.delimiter).some(folder => {
    try {
      accessSync(path.join(folder, command), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

/** Runs a command quietly; its output is shown only when it fails. RUNLEVEL=1 keeps apt from starting a service. */
function run(command, args, retry) {
  const env = { ...process.env, RUNLEVEL: '1', DEBIAN_FRONTEND: 'noninteractive' };
  const { status, error, stdout, stderr } = spawnSync(command, args, { cwd: root, env, encoding: 'utf8' });
  if (status === 0) return;
  process.stderr.write(`${stdout ?? ''}${stderr ?? ''}`);
  stop(`"${command} ${args.join(' ')}" failed${error ? ` (${error.message})` : ''}.`, retry);
}

function say(text) {
  process.stderr.write(`setup: ${text}\n`);
}

/** @returns {never} */
function stop(problem, line) {
  process.stderr.write(`setup: ${problem} Type this, then try again:\n  ${line}\n`);
  process.exit(4);
}
