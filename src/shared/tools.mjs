/**
 * Programs that come from the system: how to recognise each, what needs it, and its package by package manager.
 * `holdfast doctor` and scripts/setup.mjs share this table. It is plain JavaScript, because the script runs in a fresh
 * clone, before anything is built. The compiler checks its types all the same.
 */
import { accessSync, constants, statSync } from 'node:fs';
import path from 'node:path';

/**
 * @typedef {'apt-get' | 'brew' | 'dnf' | 'apk'} ManagerName
 *
 * @typedef {object} Tool
 * @property {readonly string[]} commands Any one of these will do.
 * @property {'needed' | 'packets' | 'proxies' | 'members' | 'tests'} group Where `holdfast doctor` lists it.
 * @property {readonly ('start' | 'test' | 'containers')[]} [setUpFor] The npm scripts of a clone that install it.
 * @property {string} use What does not work without it.
 * @property {readonly string[] | false} [asks] The arguments that make it print its version. Default: `--version`.
 *   False: it has none.
 * @property {string} [least] The oldest version that will do.
 * @property {string} [otherwise] What else will do, for a machine that has no such package or an old one.
 * @property {string} [service] The service that its package of Debian starts. Holdfast starts servers of its own.
 * @property {boolean} [onlyLinux]
 * @property {Readonly<Partial<Record<ManagerName, string>>>} packages Its packages, separated by blanks.
 */

/** The oldest supported version of Node.js. */
export const nodeLeast = '20.19';

const packets = 'the faults loss, drop and refuse, and the scenarios packet-loss, drop-one and refuse-one';
/** @type {readonly ('test' | 'containers')[]} */
const bothTests = ['test', 'containers'];

/** @type {Readonly<Record<string, Tool>>} */
export const tools = {
  redis: {
    commands: ['redis-server', 'valkey-server'],
    group: 'needed',
    setUpFor: ['start', 'test', 'containers'],
    use: 'the modes redis, jwt and sealed, the command start, and the scenarios redis-*, refresh-outage, revocation-partition, split-brain and truncate-answers',
    // CLIENT PAUSE with ALL, for the fault pause.
    least: '6.2',
    otherwise: 'a server of yours with --redis-url',
    service: 'redis-server',
    packages: { 'apt-get': 'redis-server', brew: 'redis', dnf: 'valkey', apk: 'redis' },
  },
  memcached: {
    commands: ['memcached'],
    group: 'needed',
    setUpFor: ['start', 'test', 'containers'],
    use: 'the mode memcached, the command start, and the scenarios memcached-*',
    asks: ['-V'],
    // The command touch.
    least: '1.4.8',
    otherwise: 'a server of yours with --memcached',
    service: 'memcached',
    packages: { 'apt-get': 'memcached', brew: 'memcached', dnf: 'memcached', apk: 'memcached' },
  },
  iptables: {
    commands: ['iptables-restore'],
    group: 'packets',
    setUpFor: bothTests,
    use: packets,
    onlyLinux: true,
    packages: { 'apt-get': 'iptables', dnf: 'iptables-nft', apk: 'iptables' },
  },
  iproute2: {
    commands: ['ip'],
    group: 'packets',
    setUpFor: ['test'],
    use: packets,
    asks: ['-V'],
    onlyLinux: true,
    packages: { 'apt-get': 'iproute2', dnf: 'iproute', apk: 'iproute2' },
  },
  'util-linux': {
    commands: ['setpriv', 'unshare'],
    group: 'packets',
    use: packets,
    onlyLinux: true,
    packages: { 'apt-get': 'util-linux', dnf: 'util-linux', apk: 'util-linux-misc setpriv' },
  },
  haproxy: {
    commands: ['haproxy'],
    group: 'proxies',
    setUpFor: ['containers'],
    use: '--proxy haproxy, haproxy-default and haproxy-retry-all',
    asks: ['-v'],
    service: 'haproxy',
    packages: { 'apt-get': 'haproxy', brew: 'haproxy', dnf: 'haproxy', apk: 'haproxy' },
  },
  bash: {
    commands: ['bash'],
    group: 'proxies',
    use: 'drains and reloads with --proxy haproxy',
    packages: { 'apt-get': 'bash', brew: 'bash', dnf: 'bash', apk: 'bash' },
  },
  nginx: {
    commands: ['nginx'],
    group: 'proxies',
    setUpFor: ['containers'],
    use: '--proxy nginx',
    asks: ['-v'],
    service: 'nginx',
    packages: { 'apt-get': 'nginx', brew: 'nginx', dnf: 'nginx', apk: 'nginx' },
  },
  caddy: {
    commands: ['caddy'],
    group: 'proxies',
    setUpFor: ['containers'],
    use: '--proxy caddy',
    asks: ['version'],
    service: 'caddy',
    packages: { 'apt-get': 'caddy', brew: 'caddy', dnf: 'caddy', apk: 'caddy' },
  },
  apache: {
    commands: ['apache2', 'httpd'],
    group: 'proxies',
    setUpFor: ['containers'],
    use: '--proxy apache',
    asks: ['-v'],
    service: 'apache2',
    packages: { 'apt-get': 'apache2', brew: 'httpd', dnf: 'httpd', apk: 'apache2' },
  },
  podman: {
    commands: ['podman'],
    group: 'members',
    setUpFor: ['containers'],
    use: 'driver: podman',
    packages: { 'apt-get': 'podman netavark aardvark-dns uidmap', brew: 'podman', dnf: 'podman', apk: 'podman' },
  },
  docker: {
    commands: ['docker'],
    group: 'members',
    setUpFor: ['containers'],
    use: 'driver: docker',
    packages: { 'apt-get': 'docker.io', brew: 'docker', dnf: 'docker-cli', apk: 'docker-cli' },
  },
  kubectl: {
    commands: ['kubectl'],
    group: 'members',
    setUpFor: ['containers'],
    use: 'driver: kubectl',
    asks: ['version', '--client'],
    packages: { 'apt-get': 'kubernetes-client', brew: 'kubernetes-cli', dnf: 'kubernetes-client', apk: 'kubectl' },
  },
  systemd: {
    commands: ['systemctl'],
    group: 'members',
    setUpFor: ['containers'],
    use: 'driver: systemd, which also needs a machine that systemd has started',
    onlyLinux: true,
    packages: { 'apt-get': 'systemd', dnf: 'systemd' },
  },
  curl: {
    commands: ['curl'],
    group: 'tests',
    setUpFor: bothTests,
    use: 'the tests of the proxy',
    packages: { 'apt-get': 'curl', brew: 'curl', dnf: 'curl', apk: 'curl' },
  },
  pgbouncer: {
    commands: ['pgbouncer'],
    group: 'tests',
    setUpFor: ['test'],
    use: 'the tests of the store postgres',
    service: 'pgbouncer',
    packages: { 'apt-get': 'pgbouncer', brew: 'pgbouncer', dnf: 'pgbouncer', apk: 'pgbouncer' },
  },
  chromium: {
    commands: ['chromium', 'chromium-headless-shell', 'chromium-browser', 'google-chrome'],
    group: 'tests',
    setUpFor: bothTests,
    use: 'the tests of pages and reports, and the pictures of the README',
    otherwise: 'a Chromium or Chrome that CHROMIUM_PATH names',
    // The same engine without windows: half the CPU time of the tests in a browser.
    packages: { 'apt-get': 'chromium-headless-shell', brew: '--cask chromium', dnf: 'chromium', apk: 'chromium' },
  },
  groff: {
    commands: ['groff'],
    group: 'tests',
    setUpFor: ['test'],
    use: 'the test of the manual page',
    packages: { 'apt-get': 'groff-base', brew: 'groff', dnf: 'groff-base', apk: 'groff' },
  },
  php: {
    commands: ['php'],
    group: 'tests',
    setUpFor: ['containers'],
    use: 'npm run test:full, which attacks an app in PHP',
    packages: { 'apt-get': 'php-cli', brew: 'php', dnf: 'php-cli', apk: 'php83' },
  },
  python: {
    commands: ['python3'],
    group: 'tests',
    setUpFor: ['containers'],
    use: 'npm run test:full, which attacks an app in Python',
    packages: { 'apt-get': 'python3', brew: 'python', dnf: 'python3', apk: 'python3' },
  },
  ruby: {
    commands: ['ruby'],
    group: 'tests',
    setUpFor: ['containers'],
    use: 'npm run test:full, which attacks an app in Ruby',
    packages: { 'apt-get': 'ruby', brew: 'ruby', dnf: 'ruby', apk: 'ruby' },
  },
  runc: {
    commands: ['runc'],
    group: 'tests',
    setUpFor: ['containers'],
    use: 'npm run test:containers, where it runs the containers of podman',
    packages: { 'apt-get': 'runc', brew: 'podman', dnf: 'runc', apk: 'runc' },
  },
  'docker-compose': {
    commands: ['docker-compose'],
    group: 'tests',
    setUpFor: ['containers'],
    use: 'npm run test:containers, where it starts docker-compose.yml',
    packages: {
      'apt-get': 'docker-compose',
      brew: 'docker-compose',
      dnf: 'docker-compose',
      apk: 'docker-cli-compose',
    },
  },
  busybox: {
    commands: ['busybox'],
    group: 'tests',
    setUpFor: ['containers'],
    use: 'npm run test:containers, where it is the shell of the images',
    asks: [],
    packages: { 'apt-get': 'busybox-static', brew: 'busybox', dnf: 'busybox', apk: 'busybox-static' },
  },
  initdb: {
    commands: ['pg_ctlcluster', 'initdb'],
    asks: false,
    group: 'tests',
    setUpFor: ['containers'],
    use: 'npm run test:containers, which makes an image of PostgreSQL',
    service: 'postgresql',
    packages: { 'apt-get': 'postgresql', brew: 'postgresql', dnf: 'postgresql-server', apk: 'postgresql' },
  },
};

/**
 * Returns the name in the table of a program, which may be given by its command: `redis` for `redis-server`.
 * @param {string} given
 * @returns {string | undefined}
 */
export function findToolName(given) {
  if (Object.hasOwn(tools, given)) return given;
  return Object.keys(tools).find(name => tools[name]?.commands.includes(given));
}

/**
 * Compares two versions, such as 7.0.15 and 6.2.
 * @param {string} version
 * @param {string} least
 */
export function isAtLeast(version, least) {
  const [has, needs] = [version, least].map(text => text.split('.').map(Number));
  const at = needs?.findIndex((number, index) => number !== (has?.[index] ?? 0)) ?? -1;
  return at === -1 || (has?.[at] ?? 0) > (needs?.[at] ?? 0);
}

/**
 * Returns the absolute path of the first of these programs that is installed.
 * @param {readonly string[]} names
 * @param {string} [folders] as in PATH
 * @returns {string | undefined}
 */
export function findProgram(names, folders = systemPath()) {
  const places = folders.split(path.delimiter).filter(folder => folder !== '');
  return names.flatMap(name => places.map(folder => path.join(folder, name))).find(isExecutable);
}

/**
 * Returns PATH with the folders of servers and system tools: Debian leaves them out for ordinary users.
 * @returns {string}
 */
export function systemPath() {
  return [process.env.PATH, '/usr/local/sbin', '/usr/sbin', '/sbin'].filter(Boolean).join(path.delimiter);
}

/** @param {string} file */
function isExecutable(file) {
  try {
    accessSync(file, constants.X_OK);
    return statSync(file).isFile();
  } catch {
    return false;
  }
}
