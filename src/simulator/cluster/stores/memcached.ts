import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { LabError } from '../../errors.js';
import { answersWith } from '../ask.js';
import type { ProcessSpec } from '../process-member.js';
import { findProgram } from '../program-path.js';
import type { StorePlace, StoreServer } from '../store-server.js';

function findMemcached(): string {
  const found = findProgram(['memcached']);
  if (found !== undefined) return found;
  throw new LabError(
    [
      'memcached is missing on PATH. Install it:',
      '  Debian, Ubuntu: apt-get install memcached',
      '  macOS:          brew install memcached',
      '  Fedora:         dnf install memcached',
      '  Alpine:         apk add memcached',
    ].join('\n'),
  );
}

/** For example `{ memcached: '1.6.18' }`, from "memcached 1.6.18". */
async function versionOf(program: string): Promise<Record<string, string>> {
  const { stdout } = await promisify(execFile)(program, ['-V'], { timeout: 5_000 });
  return { memcached: stdout.trim().split(' ').at(-1) ?? '' };
}

function specOf(program: string, { port }: StorePlace): ProcessSpec {
  // Memcached refuses to be root, and asks for the name of somebody who is not.
  const user = process.getuid?.() === 0 ? ['-u', 'nobody'] : [];
  return {
    name: 'memcached',
    role: 'store',
    port,
    command: program,
    args: ['-l', '127.0.0.1', '-p', String(port), '-U', '0', ...user],
    env: {},
    answers: withinMs => answersWith(port, 'version\r\n', answer => answer.toString().startsWith('VERSION '), withinMs),
    remedy: `${program} -p ${port}   (by hand, to see what it says)`,
  };
}

/** All in memory: what it held is gone when it dies. */
export const memcached: StoreServer = {
  async prepare(place) {
    const program = findMemcached();
    return {
      spec: specOf(program, place),
      url: `memcached://127.0.0.1:${place.port}`,
      versions: await versionOf(program),
    };
  },
};
