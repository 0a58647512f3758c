/**
 * Installs tools with the package manager of this machine. `holdfast doctor --install` and scripts/setup.mjs share it.
 * It is plain JavaScript for the same reason as src/shared/tools.mjs.
 */
import { execFile, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { findProgram } from '../shared/tools.mjs';

/** @import { ManagerName, Tool } from '../shared/tools.mjs' */

/** Time limit of a package manager, which may hang, for example at a lock. */
const installWithinMs = 20 * 60_000;
const outputBytesMax = 64 * 1024 * 1024;

/**
 * How each package manager is called, and whether it must be root to install.
 * @type {Readonly<Record<ManagerName, { prepare?: readonly string[], install: readonly string[], needsRoot: boolean }>>}
 */
const managers = {
  'apt-get': {
    prepare: ['update', '-qq'],
    install: ['install', '-y', '-qq', '--no-install-recommends'],
    needsRoot: true,
  },
  dnf: { install: ['install', '-y', '-q'], needsRoot: true },
  apk: { install: ['add', '--no-cache', '-q'], needsRoot: true },
  brew: { install: ['install', '-q'], needsRoot: false },
};

/** @type {readonly ManagerName[]} */
const managerNames = ['apt-get', 'dnf', 'apk', 'brew'];

/** A problem, and the command that solves it. */
export class InstallProblem extends Error {
  /**
   * @param {string} message
   * @param {string} remedy
   */
  constructor(message, remedy) {
    super(message);
    /** @readonly */
    this.remedy = remedy;
  }
}

/**
 * @typedef {object} Installer
 * @property {ManagerName | undefined} manager
 * @property {boolean} isRoot
 *
 * @typedef {object} InstallPlan
 * @property {readonly (readonly string[])[]} commands
 * @property {string} line What a user types to do the same.
 * @property {string} short The same without the preparation, for a table.
 * @property {boolean} isAllowed False when the packages cannot be installed from here. `line` then says what to do.
 * @property {readonly string[]} services The services to switch off afterwards.
 * @property {string} [folder] Where the commands run. Default: the current folder.
 */

/**
 * Finds the package manager of this machine.
 * @returns {Installer}
 */
export function findInstaller() {
  return { manager: managerNames.find(name => findProgram([name]) !== undefined), isRoot: process.getuid?.() === 0 };
}

/**
 * Decides how to install tools: one call of the package manager. Casks of brew need a call of their own.
 * @param {readonly Tool[]} wanted
 * @param {Installer} installer
 * @returns {InstallPlan}
 */
export function planInstall(wanted, { manager, isRoot }) {
  const without = wanted.filter(tool => manager === undefined || tool.packages[manager] === undefined);
  if (manager === undefined || without.length > 0) {
    const line = `install ${without.map(tool => tool.commands[0]).join(', ')}, so that PATH finds it`;
    return { commands: [], line, short: line, isAllowed: false, services: [] };
  }
  const { prepare, install, needsRoot } = managers[manager];
  const packages = wanted.map(tool => tool.packages[manager] ?? '');
  const casks = packages.filter(each => each.startsWith('-'));
  const plain = packages.filter(each => !each.startsWith('-'));
  const calls = [plain.flatMap(split), ...casks.map(split)].filter(words => words.length > 0);
  const installs = calls.map(words => [manager, ...install, ...new Set(words)]);
  const commands = [...(prepare === undefined ? [] : [[manager, ...prepare]]), ...installs];
  const isAllowed = isRoot || !needsRoot;
  /** @param {readonly (readonly string[])[]} each */
  const typed = each => each.map(words => `${isAllowed ? '' : 'sudo '}${withoutQuiet(words)}`).join(' && ');
  const services = manager === 'apt-get' ? wanted.flatMap(({ service }) => service ?? []) : [];
  return { commands, line: typed(commands), short: typed(installs), isAllowed, services };
}

/**
 * Returns a command as a user types it.
 * @param {readonly string[]} words
 */
function withoutQuiet(words) {
  return words.filter(word => !/^-q+$|^--no-install-recommends$/.test(word)).join(' ');
}

/**
 * Runs the commands of a plan. Rejects with `InstallProblem` when one fails.
 * @param {InstallPlan} plan
 * @param {AbortSignal} [signal]
 */
export async function install({ commands, line, services, folder }, signal) {
  for (const [command = '', ...args] of commands) await runQuietly(command, args, { retry: line, signal, folder });
  for (const service of services) switchOff(service);
}

/**
 * Runs a command quietly. Its output is shown only when it fails. On abort it gets SIGINT, and is waited for: a package
 * manager ends its step first. RUNLEVEL=1 keeps apt from starting a service.
 * @param {string} command
 * @param {readonly string[]} args
 * @param {{ retry: string, folder?: string | undefined, signal?: AbortSignal | undefined }} options
 * @returns {Promise<void>}
 */
export function runQuietly(command, args, { retry, folder, signal }) {
  signal?.throwIfAborted();
  const env = { ...process.env, RUNLEVEL: '1', DEBIAN_FRONTEND: 'noninteractive' };
  return new Promise((resolve, reject) => {
    const options = { cwd: folder, env, maxBuffer: outputBytesMax, timeout: installWithinMs };
    const child = execFile(command, args, options, (error, stdout, stderr) => {
      signal?.removeEventListener('abort', interrupt);
      if (error === null) return resolve();
      if (signal?.aborted) return reject(signal.reason);
      process.stderr.write(`${stdout}${stderr}`);
      const why = typeof error.code === 'string' ? ` (${error.message})` : '';
      reject(new InstallProblem(`"${[command, ...args].join(' ')}" failed${why}.`, retry));
    });
    const interrupt = () => void child.kill('SIGINT');
    signal?.addEventListener('abort', interrupt);
    // Nothing can be asked: the command must not wait for an answer.
    child.stdin?.end();
  });
}

/**
 * Switches a service off. Where systemd runs, packages of Debian start their service whatever RUNLEVEL says, and at every
 * boot. A service that does not exist makes this fail, which does no harm.
 * @param {string} service
 */
function switchOff(service) {
  if (existsSync('/run/systemd/system')) spawnSync('systemctl', ['disable', '--now', service], { stdio: 'ignore' });
}

/** @param {string} words */
function split(words) {
  return words.split(' ');
}
