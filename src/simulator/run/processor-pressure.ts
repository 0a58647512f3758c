import { readFileSync } from 'node:fs';
import { cpus } from 'node:os';

/**
 * Whether there is processor time to spare, as the kernel counts it for the cgroup that this process and all servers of a
 * lab are in:
 *
 *   throttling: cpu.stat (cgroup v2 and v1): the cgroup had used up its quota
 *   pressure:   cpu.pressure (v2), or /proc/pressure/cpu: some process was ready to run and had to wait
 *   idle time:  of the processors that this process may use
 *
 * Idle time alone tells too little: neighbours may keep all processors busy while ours still get one at once. Pressure
 * alone tells too much: of many servers on few processors, one waits for another now and then, also when half of the time
 * is left. So both must say the same. Where the kernel counts no pressure, idle time has to do.
 */

/** One look. Each counter only grows; undefined where the kernel does not count it. */
export interface PressureLook {
  readonly throttledUs?: number | undefined;
  readonly waitedUs?: number | undefined;
  /** Of all processors that this process may use together, in ms. */
  readonly processors: ProcessorTimes;
}

export interface ProcessorTimes {
  readonly idle: number;
  readonly total: number;
}

/** Less than this share is what counting leaves over when nothing is idle. */
const idleShareMin = 0.05;
/** Measured on two processors: a run of kill-one beside two busy loops waits at least 37 % of the time, all along. */
const waitedShareMax = 0.25;

/** Pure. Whether there was none to spare between two looks, `ms` apart. Undefined when no time has passed. */
export function wasBusy(from: PressureLook, to: PressureLook, ms: number): boolean | undefined {
  const idle = idleShare(from.processors, to.processors);
  if (idle === undefined || ms <= 0) return undefined;
  const share = (us: number | undefined) => (us === undefined ? undefined : us / 1_000 / ms);
  const throttled = share(grownUs(from.throttledUs, to.throttledUs)) ?? 0;
  if (throttled > waitedShareMax) return true;
  const waited = share(grownUs(from.waitedUs, to.waitedUs)) ?? 1;
  return idle < idleShareMin && waited > waitedShareMax;
}

/** Pure. Undefined when no time has passed between the two. */
export function idleShare(from: ProcessorTimes, to: ProcessorTimes): number | undefined {
  return to.total <= from.total ? undefined : (to.idle - from.idle) / (to.total - from.total);
}

function grownUs(from: number | undefined, to: number | undefined): number | undefined {
  return from === undefined || to === undefined ? undefined : Math.max(0, to - from);
}

/** The folders of `/sys/fs/cgroup` in which a process is: those of version 2 first, which count more. */
export interface CgroupFolders {
  readonly v2: readonly string[];
  readonly v1: readonly string[];
}

const root = '/sys/fs/cgroup';

/** Pure. From the text of `/proc/self/cgroup`. A path may be one of the host that is not mounted here: the root of the
 * mount is then the cgroup of the container, so it is the second choice. */
export function foldersIn(selfCgroup: string): CgroupFolders {
  const paths = (wanted: RegExp) => {
    const path = wanted.exec(selfCgroup)?.[1];
    return path === undefined ? [] : [...new Set([path === '/' ? '' : path, ''])];
  };
  const [v2, v1] = [paths(/^0::(\/.*)$/m), paths(/^\d+:(?:[^:]*,)?cpu(?:,[^:]*)?:(\/.*)$/m)];
  return {
    v2: [root, `${root}/unified`].flatMap(mount => v2.map(path => mount + path)),
    v1: [`${root}/cpu`, `${root}/cpu,cpuacct`].flatMap(mount => v1.map(path => mount + path)),
  };
}

/** Pure. The microseconds in which some process waited, from `cpu.pressure` or `/proc/pressure/cpu`. */
export function waitedUsIn(pressure: string): number | undefined {
  const total = /^some .*\btotal=(\d+)/m.exec(pressure)?.[1];
  return total === undefined ? undefined : Number(total);
}

/** Pure. The microseconds in which the cgroup was throttled, from `cpu.stat`. Undefined when it has no quota. */
export function throttledUsIn(stat: string): number | undefined {
  const field = (name: string) => new RegExp(`^${name} (\\d+)$`, 'm').exec(stat)?.[1];
  if (Number(field('nr_periods') ?? 0) === 0) return undefined;
  const [us, ns] = [field('throttled_usec'), field('throttled_time')];
  if (us !== undefined) return Number(us);
  return ns === undefined ? undefined : Number(ns) / 1_000;
}

/** Pure. How many processors a quota amounts to, from `cpu.max`, or from the two files of version 1. */
export function quotaIn(maxOrQuota: string, period?: string): number | undefined {
  const [quota, periodUs = period] = maxOrQuota.trim().split(' ');
  const share = Number(quota) / Number(periodUs);
  return Number(quota) > 0 && Number.isFinite(share) ? share : undefined;
}

/** Looks at the counters of this process's cgroup. */
export function lookAtPressure(): PressureLook {
  const { v2, v1 } = foldersIn(read('/proc/self/cgroup'));
  const waited = [...v2.map(folder => `${folder}/cpu.pressure`), '/proc/pressure/cpu'];
  return {
    waitedUs: first(waited, file => waitedUsIn(read(file))),
    throttledUs: first([...v2, ...v1], folder => throttledUsIn(read(`${folder}/cpu.stat`))),
    processors: processorTimes(),
  };
}

/** What a quota leaves of the processors of this machine, in processors; undefined without one. */
export function processorQuota(): number | undefined {
  const { v2, v1 } = foldersIn(read('/proc/self/cgroup'));
  return (
    first(v2, folder => quotaIn(read(`${folder}/cpu.max`))) ??
    first(v1, folder => quotaIn(read(`${folder}/cpu.cfs_quota_us`), read(`${folder}/cpu.cfs_period_us`)))
  );
}

/** Pure. The processors in a line such as `Cpus_allowed_list: 0-2,5` of `/proc/self/status`; undefined: all of them. */
export function allowedIn(status: string): ReadonlySet<number> | undefined {
  const list = /^Cpus_allowed_list:\s*([\d,-]+)$/m.exec(status)?.[1];
  if (list === undefined) return undefined;
  const ranges = list.split(',').map(range => range.split('-').map(Number));
  return new Set(
    ranges.flatMap(([from = 0, to = from]) => Array.from({ length: to - from + 1 }, (_, nth) => from + nth)),
  );
}

function processorTimes(): ProcessorTimes {
  const allowed = allowedIn(read('/proc/self/status'));
  let [idle, total] = [0, 0];
  for (const [index, { times }] of cpus().entries()) {
    if (allowed?.has(index) === false) continue;
    idle += times.idle;
    total += times.idle + times.user + times.nice + times.sys + times.irq;
  }
  return { idle, total };
}

function first<T>(places: readonly string[], look: (place: string) => T | undefined): T | undefined {
  for (const place of places) {
    const found = look(place);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** A file of the kernel; empty where there is none. */
function read(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}
