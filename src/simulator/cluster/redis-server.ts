import { execFile } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { connect } from 'node:net';
import path from 'node:path';
import { promisify } from 'node:util';
import { LabError } from '../errors.js';
import type { ProcessSpec } from './process-member.js';

const programs = ['redis-server', 'valkey-server'];

/** The absolute path of a Redis or Valkey server. Throws `LabError` when PATH holds none. */
export function findRedis(pathVariable = process.env.PATH ?? ''): string {
  const folders = pathVariable.split(path.delimiter).filter(folder => folder !== '');
  const found = programs.flatMap(program => folders.map(folder => path.join(folder, program))).find(isExecutable);
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

/** For example `{ redis: '7.0.15' }`. */
export async function redisVersion(program: string): Promise<Record<string, string>> {
  const { stdout } = await promisify(execFile)(program, ['--version'], { timeout: 5_000 });
  return { [path.basename(program).replace('-server', '')]: /v=(\S+)/.exec(stdout)?.[1] ?? stdout.trim() };
}

/** Without persistence: what it held is gone when it dies. */
export function redisSpec(program: string, port: number, directory: string): ProcessSpec {
  const settings = { bind: '127.0.0.1', port, 'protected-mode': 'yes', dir: directory, save: '', appendonly: 'no' };
  return {
    name: 'redis',
    role: 'store',
    port,
    command: program,
    args: Object.entries(settings).flatMap(([key, value]) => [`--${key}`, String(value)]),
    env: {},
    answers: withinMs => answersPing(port, withinMs),
    remedy: `${program} --port ${port}   (by hand, to see what it says)`,
  };
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** PING as an inline command, which spares the lab a client. */
function answersPing(port: number, withinMs: number): Promise<boolean> {
  return new Promise(resolve => {
    const socket = connect({ host: '127.0.0.1', port }, () => socket.write('PING\r\n'));
    const timer = setTimeout(() => settle(false), withinMs);
    socket.once('data', data => settle(data.toString().startsWith('+PONG')));
    socket.once('error', () => settle(false));
    socket.once('close', () => settle(false));
    function settle(answered: boolean): void {
      clearTimeout(timer);
      socket.destroy();
      resolve(answered);
    }
  });
}
