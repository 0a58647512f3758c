import { execFile } from 'node:child_process';
import path from 'node:path';
import { promisify } from 'node:util';
import { LabError } from '../../errors.js';
import { answersWith } from '../ask.js';
import type { ProcessSpec } from '../process-member.js';
import { findProgram } from '../program-path.js';
import type { StorePlace, StoreServer } from '../store-server.js';

/** The absolute path of a Redis or Valkey server. */
function findRedis(): string {
  const found = findProgram(['redis-server', 'valkey-server']);
  if (found !== undefined) return found;
  throw new LabError(
    [
      'redis-server is missing: neither redis-server nor valkey-server is on PATH. Install one:',
      '  Debian, Ubuntu: apt-get install redis-server',
      '  macOS:          brew install redis',
      '  Fedora:         dnf install valkey',
      '  Alpine:         apk add redis',
    ].join('\n'),
  );
}

async function versionOf(program: string): Promise<Record<string, string>> {
  const { stdout } = await promisify(execFile)(program, ['--version'], { timeout: 5_000 });
  return { [path.basename(program).replace('-server', '')]: /v=(\S+)/.exec(stdout)?.[1] ?? stdout.trim() };
}

function specOf(program: string, { port, directory }: StorePlace): ProcessSpec {
  const settings = { bind: '127.0.0.1', port, 'protected-mode': 'yes', dir: directory, save: '', appendonly: 'no' };
  return {
    name: 'redis',
    role: 'store',
    port,
    command: program,
    args: Object.entries(settings).flatMap(([key, value]) => [`--${key}`, String(value)]),
    env: {},
    // PING as an inline command, which spares the lab a client.
    answers: (withinMs, at = port) =>
      answersWith(at, 'PING\r\n', answer => answer.toString().startsWith('+PONG'), withinMs),
    remedy: `${program} --port ${port}   (by hand, to see what it says)`,
  };
}

/** Without persistence: what it held is gone when it dies. */
export const redis: StoreServer = {
  async prepare(place) {
    const program = findRedis();
    return {
      spec: specOf(program, place),
      url: `redis://127.0.0.1:${place.port}`,
      versions: await versionOf(program),
    };
  },
};
