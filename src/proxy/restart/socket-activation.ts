import type { OpenSocket } from '../sockets/listen.js';
import type { OpenSockets, SocketName } from './takeover.js';

/** The first descriptor that systemd passes (sd_listen_fds(3)). */
const firstFd = 3;

export type ActivationVariables = Readonly<Partial<Record<'LISTEN_PID' | 'LISTEN_FDS' | 'LISTEN_FDNAMES', string>>>;

/**
 * Reads which sockets systemd has opened for this process. A socket named `admin`, `health` or `redirect`
 * (`FileDescriptorName=`) is for that purpose. The other one is for traffic, whatever its name. Undefined: there are
 * none. Throws when there are several for the same purpose.
 */
export function readActivation(env: ActivationVariables, pid: number): OpenSockets | undefined {
  const count = Number(env.LISTEN_FDS);
  // The variables of another process, which has passed its environment on.
  if (Number(env.LISTEN_PID) !== pid || !Number.isInteger(count) || count < 1) return undefined;
  const names = env.LISTEN_FDNAMES?.split(':') ?? [];
  const sockets = new Map<SocketName, OpenSocket>();
  for (let nth = 0; nth < count; nth += 1) {
    const name = purposeOf(names[nth]);
    if (sockets.has(name)) throw new TypeError(explainTwice(name));
    sockets.set(name, { fd: firstFd + nth });
  }
  return { take: async name => sockets.get(name), mayReplace: async () => false };
}

function purposeOf(name: string | undefined): SocketName {
  return name === 'admin' || name === 'health' || name === 'redirect' ? name : 'traffic';
}

function explainTwice(name: SocketName): string {
  return (
    `systemd passes two sockets for ${name}: expected one ListenStream= in each socket unit, and ` +
    'FileDescriptorName=admin, health or redirect in the units of the others'
  );
}
