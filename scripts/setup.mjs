/**
 * What `npm start` and `npm test` run first: looks what is missing, installs it, says what it did.
 * Packages (npm ci), the build (tsc, then pack.mjs), redis-server, memcached, and with --test a Chromium, a curl, a
 * PgBouncer, iptables, four proxies, and the languages of the apps that the tests attack; with --containers podman,
 * kubectl and more.
 * With nothing missing it only looks, which takes well under a second. Exit code 4: something is missing that it may
 * not install; the last line then is what to type.
 *
 *   node scripts/setup.mjs [--test | --containers | --build]
 */
import { execFile as execFileBack, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { accessSync, constants, existsSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';

/** A problem, and the command that solves it. */
class Problem extends Error {
  constructor(message, remedy) {
    super(message);
    this.remedy = remedy;
  }
}

const execFile = promisify(execFileBack);
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
  pgbouncer: {
    commands: ['pgbouncer'],
    why: 'a real pooler for the tests of the store postgres',
    packages: { 'apt-get': 'pgbouncer', brew: 'pgbouncer', dnf: 'pgbouncer', apk: 'pgbouncer' },
  },
  iptables: {
    commands: ['iptables-restore'],
    why: 'the packet filter for the faults of packets',
    packages: { 'apt-get': 'iptables', dnf: 'iptables-nft', apk: 'iptables' },
  },
  iproute2: {
    commands: ['ip'],
    why: 'the loopback interface of a network namespace',
    packages: { 'apt-get': 'iproute2', dnf: 'iproute', apk: 'iproute2' },
  },
  curl: {
    commands: ['curl'],
    why: 'a real client for the proxy tests',
    packages: { 'apt-get': 'curl', brew: 'curl', dnf: 'curl', apk: 'curl' },
  },
};

/** Proxies that are tested beside that of Holdfast. */
const proxies = {
  haproxy: {
    commands: ['haproxy'],
    why: 'a real HAProxy for the tests of external proxies',
    packages: { 'apt-get': 'haproxy', brew: 'haproxy', dnf: 'haproxy', apk: 'haproxy' },
  },
  nginx: {
    commands: ['nginx'],
    why: 'a real nginx for the tests of external proxies',
    packages: { 'apt-get': 'nginx', brew: 'nginx', dnf: 'nginx', apk: 'nginx' },
  },
  caddy: {
    commands: ['caddy'],
    why: 'a real Caddy for the tests of external proxies',
    packages: { 'apt-get': 'caddy', brew: 'caddy', dnf: 'caddy', apk: 'caddy' },
  },
  apache: {
    commands: ['apache2', 'httpd'],
    why: 'a real Apache httpd for the tests of external proxies',
    packages: { 'apt-get': 'apache2', brew: 'httpd', dnf: 'httpd', apk: 'apache2' },
  },
};

/** Tools of `npm run test:containers`. */
const containerTools = {
  podman: {
    commands: ['podman'],
    why: 'real containers',
    packages: {
      'apt-get': 'podman netavark aardvark-dns uidmap',
      brew: 'podman',
      dnf: 'podman',
      apk: 'podman',
    },
  },
  runc: {
    commands: ['runc'],
    why: 'runs the containers of podman',
    packages: { 'apt-get': 'runc', brew: 'podman', dnf: 'runc', apk: 'runc' },
  },
  compose: {
    commands: ['docker-compose'],
    why: 'starts docker-compose.yml',
    packages: {
      'apt-get': 'docker-compose',
      brew: 'docker-compose',
      dnf: 'docker-compose',
      apk: 'docker-cli-compose',
    },
  },
  docker: {
    commands: ['docker'],
    why: 'the real command line of Docker',
    packages: { 'apt-get': 'docker.io', brew: 'docker', dnf: 'docker-cli', apk: 'docker-cli' },
  },
  busybox: {
    commands: ['busybox'],
    why: 'the shell of the images',
    packages: { 'apt-get': 'busybox-static', brew: 'busybox', dnf: 'busybox', apk: 'busybox-static' },
  },
  postgres: {
    commands: ['pg_ctlcluster', 'initdb'],
    why: 'a PostgreSQL for its image',
    packages: { 'apt-get': 'postgresql', brew: 'postgresql', dnf: 'postgresql-server', apk: 'postgresql' },
  },
  systemd: {
    commands: ['systemctl'],
    why: 'real units',
    packages: { 'apt-get': 'systemd', brew: 'systemd', dnf: 'systemd', apk: 'systemd' },
  },
  kubectl: {
    commands: ['kubectl'],
    why: 'the real kubectl for the tests with pods',
    packages: { 'apt-get': 'kubernetes-client', brew: 'kubernetes-cli', dnf: 'kubernetes-client', apk: 'kubectl' },
  },
};

/** Languages of the small apps that the tests attack. */
const languages = {
  php: {
    commands: ['php'],
    why: 'an app in PHP for the tests of attacks',
    packages: { 'apt-get': 'php-cli', brew: 'php', dnf: 'php-cli', apk: 'php83' },
  },
  python: {
    commands: ['python3'],
    why: 'an app in Python for the tests of attacks',
    packages: { 'apt-get': 'python3', brew: 'python', dnf: 'python3', apk: 'python3' },
  },
  ruby: {
    commands: ['ruby'],
    why: 'an app in Ruby for the tests of attacks',
    packages: { 'apt-get': 'ruby', brew: 'ruby', dnf: 'ruby', apk: 'ruby' },
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
const wanted = needs.includes('--build') ? [] : [tools.redis, tools.memcached];
if (needs.includes('--test'))
  wanted.push(tools.curl, tools.pgbouncer, ...Object.values(proxies), ...Object.values(languages));
if (needs.includes('--test') && process.platform === 'linux') wanted.push(tools.iptables, tools.iproute2);
if (needs.includes('--test') && !existsSync(process.env.CHROMIUM_PATH ?? '')) wanted.push(tools.chromium);
if (needs.includes('--containers'))
  wanted.push(tools.curl, tools.iptables, ...Object.values(proxies), ...Object.values(containerTools));
const install = installing(wanted.filter(isMissing));
// Each mostly waits: for the network, for the disk. Neither is left half done when the other fails.
const done = await Promise.allSettled([installPackages().then(build), install()]);
for (const { reason } of done) if (reason !== undefined) stop(reason);

function checkNode() {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  if (major > 20 || (major === 20 && minor >= 19)) return;
  stop(
    new Problem(
      `Holdfast needs Node.js 20.19 or later; this is ${process.versions.node}.`,
      'nvm install 20   # or any later version',
    ),
  );
}

async function installPackages() {
  const installed = path.join(root, 'node_modules/.package-lock.json');
  const wanted = path.join(root, 'package-lock.json');
  if (existsSync(installed) && statSync(installed).mtimeMs >= statSync(wanted).mtimeMs) return;
  say('installing npm packages (npm ci)');
  await run(
    'npm',
    ['ci', '--include=dev', '--include=optional', '--no-audit', '--no-fund', '--loglevel=error'],
    'npm ci',
  );
}

/** Rebuilds all when any source differs from the last build, and from nothing, so that no deleted file lives on. */
async function build() {
  const stamp = path.join(root, 'dist/.sources');
  const now = fingerprint();
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === now) return;
  say('building (tsc)');
  rmSync(path.join(root, 'dist'), { recursive: true, force: true });
  await run(process.execPath, [path.join(root, 'node_modules/typescript/bin/tsc'), '-b'], 'npm run build');
  await run(process.execPath, [path.join(root, 'scripts/pack.mjs')], 'npm run build');
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

/** Returns the commands that install the packages, in order. Throws when this script may not install them. */
function installing(missing) {
  if (missing.length === 0) return async () => {};
  const lack = `missing: ${missing.map(({ commands, why }) => `${commands[0]} (${why})`).join(', ')}.`;
  const names = missing.map(tool => tool.commands[0]).join(', ');
  const manager = Object.keys(managers).find(onPath);
  if (manager === undefined) stop(new Problem(lack, `install ${names}, so that they are on PATH`));
  const { prepare, install, root: needsRoot } = managers[manager];
  const commands = missing.map(tool => [...install, ...tool.packages[manager].split(' ')]);
  const lines = commands.map(words => [manager, ...words.filter(word => !/^-q+$/.test(word))].join(' '));
  if (needsRoot && process.getuid?.() !== 0) stop(new Problem(lack, lines.map(line => `sudo ${line}`).join(' && ')));
  const line = lines.join(' && ');
  return async () => {
    say(`installing ${names}: ${line}`);
    if (prepare !== undefined) await run(manager, prepare, line);
    for (const [index, words] of commands.entries()) await run(manager, words, lines[index]);
    if (manager === 'apt-get') for (const tool of missing) leaveOff(tool.packages[manager]);
    const still = missing.filter(isMissing).map(tool => tool.commands[0]);
    if (still.length > 0)
      throw new Problem(`still missing after "${line}": ${still.join(', ')}.`, `install ${still.join(', ')}`);
  };
}

function isMissing(tool) {
  return !tool.commands.some(onPath);
}

/** Where systemd runs, Debian's packages start their service whatever RUNLEVEL says, and at every boot. That is not
 * wanted: Holdfast starts its own servers. A package without a service makes this fail, which does no harm. */
function leaveOff(service) {
  if (existsSync('/run/systemd/system')) spawnSync('systemctl', ['disable', '--now', service], { stdio: 'ignore' });
}

function onPath(command) {
  // Debian keeps servers in /usr/sbin, which only root has on its PATH.
  return [...(process.env.PATH ?? '').split(path.delimiter), '/usr/sbin'].some(folder => {
    try {
      accessSync(path.join(folder, command), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

/** Runs a command quietly; its output is shown only when it fails. RUNLEVEL=1 keeps apt from starting a service. */
async function run(command, args, retry) {
  const env = { ...process.env, RUNLEVEL: '1', DEBIAN_FRONTEND: 'noninteractive' };
  const child = execFile(command, args, { cwd: root, env, maxBuffer: 64 * 1024 * 1024 });
  // Nothing can be asked: the command must not wait for an answer.
  child.child.stdin?.end();
  await child.catch(({ message, code, stdout, stderr }) => {
    process.stderr.write(`${stdout ?? ''}${stderr ?? ''}`);
    const why = typeof code === 'string' ? ` (${message})` : '';
    throw new Problem(`"${command} ${args.join(' ')}" failed${why}.`, retry);
  });
}

function say(text) {
  process.stderr.write(`setup: ${text}\n`);
}

/** @returns {never} */
function stop(problem) {
  if (!(problem instanceof Problem)) throw problem;
  process.stderr.write(`setup: ${problem.message} Type this, then try again:\n  ${problem.remedy}\n`);
  process.exit(4);
}
