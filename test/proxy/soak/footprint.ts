import { readdir, readFile } from 'node:fs/promises';
import type { Sample } from './trend.js';

/** Samples the resources of a process. */
export class Footprint {
  readonly residentMb: Sample[] = [];
  readonly descriptors: Sample[] = [];
  readonly #pid: number;
  readonly #timer: NodeJS.Timeout;

  constructor(pid: number, everyMs: number) {
    this.#pid = pid;
    this.#timer = setInterval(() => void this.look(), everyMs);
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  /** Takes a sample; does nothing if the process is gone. */
  async look(): Promise<void> {
    const atMs = performance.now();
    const [resident, descriptors] = await Promise.all([residentMbOf(this.#pid), descriptorsOf(this.#pid)]);
    if (resident === undefined || descriptors === undefined) return;
    this.residentMb.push({ atMs, value: resident });
    this.descriptors.push({ atMs, value: descriptors });
  }
}

/** Undefined when there is no such process. */
export async function residentMbOf(pid: number): Promise<number | undefined> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '');
  const kilobytes = /VmRSS:\s+(\d+)/.exec(status)?.[1];
  return kilobytes === undefined ? undefined : Number(kilobytes) / 1024;
}

export async function descriptorsOf(pid: number): Promise<number | undefined> {
  return (await readdir(`/proc/${pid}/fd`).catch(() => undefined))?.length;
}

/** Returns user and system time so far; USER_HZ of Linux is 100. */
export async function cpuMsOf(pid: number): Promise<number> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
  // Fields are counted after the name, which is in parentheses and may contain spaces.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11] ?? 0) + Number(fields[12] ?? 0)) * 10;
}

/** Counts the server-side connections to this port of 127.0.0.1, half-closed ones too. */
export async function openConnections(port: number): Promise<number> {
  const local = `0100007F:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  const rows = (await readFile('/proc/net/tcp', 'utf8')).split('\n').map(line => line.trim().split(/\s+/));
  // Field 3 is the state (0A: listening), field 9 the inode, which is 0 after the process closed it.
  return rows.filter(([, address, , state, , , , , , inode]) => address === local && state !== '0A' && inode !== '0')
    .length;
}
