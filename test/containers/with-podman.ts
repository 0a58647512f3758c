import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { waitUntil } from '#src/simulator/cluster/probe.js';

const run = promisify(execFile);
export const tree = path.resolve(import.meta.dirname, '../../..');
const commandWithinMs = 240_000;

/** A Podman with a storage of its own, so that a test neither sees nor leaves images and containers of the user. */
export interface Podman {
  /** The variables that lead `podman`, `docker` and `docker-compose` to it. */
  readonly env: NodeJS.ProcessEnv;
  readonly folder: string;
  /** Runs a program in the folder of the project. Rejects with its output when it fails. */
  run(program: string, args: readonly string[], more?: NodeJS.ProcessEnv): Promise<string>;
  stop(): Promise<void>;
}

const containersConf = `
[containers]
default_ulimits = ["nofile=1024:4096", "nproc=1024:4096"]
[engine]
cgroup_manager = "cgroupfs"
runtime = "runc"
events_logger = "file"
`;

/** Starts Podman's service for `docker` and `docker-compose`. Works without systemd, as in the containers of a CI. */
export async function startPodman(): Promise<Podman> {
  const folder = mkdtempSync(path.join(tmpdir(), 'holdfast-podman-'));
  for (const name of ['graph', 'run']) mkdirSync(path.join(folder, name));
  writeFileSync(path.join(folder, 'containers.conf'), containersConf);
  const [graph, runRoot] = [path.join(folder, 'graph'), path.join(folder, 'run')];
  const storage = `[storage]\ndriver = "${chooseStorage(folder)}"\ngraphroot = "${graph}"\nrunroot = "${runRoot}"\n`;
  writeFileSync(path.join(folder, 'storage.conf'), storage);
  const socket = `unix://${path.join(folder, 'podman.sock')}`;
  const env = {
    ...process.env,
    CONTAINERS_CONF: path.join(folder, 'containers.conf'),
    CONTAINERS_STORAGE_CONF: path.join(folder, 'storage.conf'),
    DOCKER_HOST: socket,
  };
  const service = spawn('podman', ['system', 'service', '--time=0', socket], { env, stdio: 'ignore' });
  const checks = runHealthChecks(env);
  const podman: Podman = {
    env,
    folder,
    run: async (program, args, more = {}) => {
      const options = { cwd: tree, env: { ...env, ...more }, timeout: commandWithinMs, maxBuffer: 1 << 26 };
      const { stdout } = await run(program, args, options).catch(
        (error: Error & { stdout?: string; stderr?: string }) => {
          throw new Error(`${program} ${args.join(' ')}: ${error.message}\n${error.stdout ?? ''}${error.stderr ?? ''}`);
        },
      );
      return stdout;
    },
    stop: async () => {
      await checks.stop();
      await run('podman', ['rm', '--all', '--force', '--time', '0'], { env }).catch(() => undefined);
      await end(service);
      rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
    },
  };
  const isUp = () =>
    run('docker', ['version'], { env }).then(
      () => true,
      () => false,
    );
  if (await waitUntil(isUp, 20_000)) return podman;
  await podman.stop();
  throw new Error('the service of podman did not answer the command line of Docker within 20 s');
}

const overlayType = 0x794c7630;

/** Returns `vfs`, which copies every image for each container, where the kernel allows no `overlay` in this folder. */
function chooseStorage(folder: string): 'overlay' | 'vfs' {
  const isKnown = /\boverlay\b/.test(readFileSync('/proc/filesystems', 'utf8'));
  return isKnown && statfsSync(folder).type !== overlayType ? 'overlay' : 'vfs';
}

/** Runs the health checks of all containers, as timers of systemd do elsewhere. */
function runHealthChecks(env: NodeJS.ProcessEnv): { stop(): Promise<void> } {
  let isOver = false;
  const loop = async () => {
    while (!isOver) {
      const listed = await run('podman', ['ps', '--quiet', '--filter', 'health=starting'], { env }).catch(
        () => undefined,
      );
      const ids = (listed?.stdout ?? '').split('\n').filter(Boolean);
      await Promise.all(ids.map(id => run('podman', ['healthcheck', 'run', id], { env }).catch(() => undefined)));
      await new Promise(resolve => setTimeout(resolve, 500));
    }
  };
  const ended = loop();
  return {
    stop: () => {
      isOver = true;
      return ended;
    },
  };
}

async function end(child: ChildProcess): Promise<void> {
  const ended = new Promise(resolve => child.once('exit', resolve));
  if (child.exitCode !== null || !child.kill()) return;
  await ended;
}

/** Makes the images that docker-compose.yml asks for from programs of this machine. */
export async function makeImages(podman: Podman): Promise<void> {
  const files = path.join(podman.folder, 'files');
  mkdirSync(files);
  // It needs much CPU time, and must not delay the whole runs of the file beside this one.
  await podman.run('nice', ['-n', '10', 'sh', path.join(tree, 'test/containers/make-images.sh'), files]);
  rmSync(files, { recursive: true, force: true });
}
