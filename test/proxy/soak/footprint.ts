import { readdir, readFile } from 'node:fs/promises';
import type { Sample } from './trend.js';

/** What a process takes of the machine, looked at again and again. */
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

  /** Nothing is noted of a process that is gone. */
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

/** User and system time that it has taken so far; USER_HZ of Linux is 100. */
export async function cpuMsOf(pid: number): Promise<number> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
  // Counted behind the name, which may contain spaces, in parentheses.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11] ?? 0) + Number(fields[12] ?? 0)) * 10;
}

/** Connections to this port of 127.0.0.1 that a process holds at the server's end, half-closed ones too. */
export async function openConnections(port: number): Promise<number> {
  const local = `0100007F:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  const rows = (await readFile('/proc/net/tcp', 'utf8')).split('\n').map(line => line.trim().split(/\s+/));
  // Field 3 is the state (0A: listening), field 9 the inode, 0 once nobody holds it any more.
  return rows.filter(([, address, , state, , , , , , inode]) => address === local && state !== '0A' && inode !== '0')
    .length;
}
