import { readdir, readFile, readlink } from 'node:fs/promises';
import path from 'node:path';

/**
 * Returns a warning when `system.target` is a tunnel of `kubectl port-forward`: it leads to one pod, and ends with it, so that every
 * user of a run seems to be cut off. Undefined otherwise. Looks at /proc, so that it says nothing on systems other than Linux.
 */
export async function describeTunnel(target: string): Promise<string | undefined> {
  const { port } = new URL(target);
  const inodes = await findListeningInodes(Number(port || 80));
  if (inodes.size === 0) return undefined;
  for (const pid of await readdir('/proc')) {
    if (!/^\d+$/.test(pid)) continue;
    const command = await readCommandLine(pid);
    const what = findForward(command);
    if (what === undefined || !(await holdsSocket(pid, inodes))) continue;
    return (
      `system.target is a tunnel of "kubectl port-forward ${what}": the tunnel ends with its pod, and takes all users` +
      ' with it. Forward the ingress, such as: kubectl -n ingress-nginx port-forward svc/ingress-nginx-controller 8080:80'
    );
  }
  return undefined;
}

/** Returns what a command line forwards, such as `pod/app-1 8080:80`; undefined for any other, and for an ingress. */
export function findForward(command: readonly string[]): string | undefined {
  const tool = command.findIndex(word => /^(?:kubectl|oc)$/.test(path.basename(word)));
  const verb = command.indexOf('port-forward', tool + 1);
  if (tool === -1 || verb === -1) return undefined;
  const what = command.slice(verb + 1).join(' ');
  return /ingress|gateway/i.test(what) ? undefined : what;
}

/** State 0A is LISTEN; the second column is the local address, the tenth the inode of the socket. */
async function findListeningInodes(port: number): Promise<ReadonlySet<string>> {
  const tables = await Promise.all(
    ['/proc/net/tcp', '/proc/net/tcp6'].map(file => readFile(file, 'utf8').catch(() => '')),
  );
  const suffix = `:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  const rows = tables.flatMap(table => table.split('\n').slice(1)).map(line => line.trim().split(/\s+/));
  const found = rows.filter(([, local = '', , state]) => state === '0A' && local.endsWith(suffix));
  return new Set(found.map(row => row[9] ?? ''));
}

/** Empty for a process that has ended, or that belongs to another user. */
async function readCommandLine(pid: string): Promise<string[]> {
  const text = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
  return text.split('\0').filter(word => word !== '');
}

async function holdsSocket(pid: string, inodes: ReadonlySet<string>): Promise<boolean> {
  const files = await readdir(`/proc/${pid}/fd`).catch(() => []);
  const links = await Promise.all(files.map(file => readlink(`/proc/${pid}/fd/${file}`).catch(() => '')));
  return links.some(link => inodes.has(/^socket:\[(\d+)\]$/.exec(link)?.[1] ?? 'none'));
}
