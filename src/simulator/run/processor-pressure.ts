import { readFileSync } from 'node:fs';
import { availableParallelism, cpus } from 'node:os';

/**
 * This file measures whether processor time is left, as the kernel counts it for the cgroup of this process and all
 * servers of a lab:
 *
 *   throttling: cpu.stat (cgroup v2 and v1): time in which the cgroup had used up its quota
 *   pressure:   cpu.pressure (v2), or /proc/pressure/cpu: time in which some process was ready to run and had to wait
 *   idle time:  idle time of the processors that this process may use
 *
 * Idle time alone misses too much: other programs may keep all processors busy while ours still get one at once.
 * Pressure alone reports too much: with many servers on few processors, one sometimes waits for another even if half of
 * the time is idle. So both must agree. If the kernel does not count pressure, idle time alone decides.
 */

/** One reading of the counters. Each counter only grows. Undefined when the kernel does not count it. */
export interface PressureReading {
  readonly throttledUs?: number | undefined;
  readonly waitedUs?: number | undefined;
  /** Sums over all processors that this process may use, in ms. */
  readonly processors: ProcessorTimes;
}

export interface ProcessorTimes {
  readonly idle: number;
  readonly total: number;
}

/** Below this share of idle time, no processor counts as idle: inexact counters leave a small rest. */
const idleShareMin = 0.05;
/** Above this share of waiting time the processors are busy. Measured on two processors: a run of kill-one beside two
 * busy loops always waits at least 37 % of the time. */
const waitedShareMax = 0.25;

/** Whether the processors were busy between two readings, `ms` apart. Pure. Undefined when no time has passed. */
export function wasBusy(from: PressureReading, to: PressureReading, ms: number): boolean | undefined {
  const idle = idleShare(from.processors, to.processors);
  if (idle === undefined || ms <= 0) return undefined;
  const share = (us: number | undefined) => (us === undefined ? undefined : us / 1_000 / ms);
  const throttled = share(increaseUs(from.throttledUs, to.throttledUs)) ?? 0;
  if (throttled > waitedShareMax) return true;
  const waited = share(increaseUs(from.waitedUs, to.waitedUs)) ?? 1;
  return idle < idleShareMin && waited > waitedShareMax;
}

/** Returns the share of idle time between two readings. Pure. Undefined when no time has passed. */
function idleShare(from: ProcessorTimes, to: ProcessorTimes): number | undefined {
  return to.total <= from.total ? undefined : (to.idle - from.idle) / (to.total - from.total);
}

function increaseUs(from: number | undefined, to: number | undefined): number | undefined {
  return from === undefined || to === undefined ? undefined : Math.max(0, to - from);
}

/** The folders of a process in `/sys/fs/cgroup`. Those of version 2 come first, because they count more. */
export interface CgroupFolders {
  readonly v2: readonly string[];
  readonly v1: readonly string[];
}

const root = '/sys/fs/cgroup';

/** Parses the text of `/proc/self/cgroup`. Pure. A path may belong to the host and not be mounted here. The root of the
 * mount is then the cgroup of the container, so it is the second choice. */
export function parseCgroupFolders(selfCgroup: string): CgroupFolders {
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

/** Parses the microseconds in which some process waited, from `cpu.pressure` or `/proc/pressure/cpu`. Pure. */
export function parseWaitedUs(pressure: string): number | undefined {
  const total = /^some .*\btotal=(\d+)/m.exec(pressure)?.[1];
  return total === undefined ? undefined : Number(total);
}

/** Parses the microseconds in which the cgroup was throttled, from `cpu.stat`. Pure. Undefined when it has no quota. */
export function parseThrottledUs(stat: string): number | undefined {
  const field = (name: string) => new RegExp(`^${name} (\\d+)$`, 'm').exec(stat)?.[1];
  if (Number(field('nr_periods') ?? 0) === 0) return undefined;
  const [us, ns] = [field('throttled_usec'), field('throttled_time')];
  if (us !== undefined) return Number(us);
  return ns === undefined ? undefined : Number(ns) / 1_000;
}

/** Parses a quota, in processors, from `cpu.max` or from the two files of version 1. Pure. */
export function parseQuota(maxOrQuota: string, period?: string): number | undefined {
  const [quota, periodUs = period] = maxOrQuota.trim().split(' ');
  const share = Number(quota) / Number(periodUs);
  return Number(quota) > 0 && Number.isFinite(share) ? share : undefined;
}

/** Reads the counters of this process's cgroup. */
export function readPressure(): PressureReading {
  const { v2, v1 } = parseCgroupFolders(read('/proc/self/cgroup'));
  const waited = [...v2.map(folder => `${folder}/cpu.pressure`), '/proc/pressure/cpu'];
  return {
    waitedUs: findFirst(waited, file => parseWaitedUs(read(file))),
    throttledUs: findFirst([...v2, ...v1], folder => parseThrottledUs(read(`${folder}/cpu.stat`))),
    processors: processorTimes(),
  };
}

/** Returns the quota of this process, in processors. Undefined without a quota. */
function processorQuota(): number | undefined {
  const { v2, v1 } = parseCgroupFolders(read('/proc/self/cgroup'));
  return (
    findFirst(v2, folder => parseQuota(read(`${folder}/cpu.max`))) ??
    findFirst(v1, folder => parseQuota(read(`${folder}/cpu.cfs_quota_us`), read(`${folder}/cpu.cfs_period_us`)))
  );
}

/** Parses the processors in a line such as `Cpus_allowed_list: 0-2,5` of `/proc/self/status`. Pure. Undefined: all. */
export function parseAllowedProcessors(status: string): ReadonlySet<number> | undefined {
  const list = /^Cpus_allowed_list:\s*([\d,-]+)$/m.exec(status)?.[1];
  if (list === undefined) return undefined;
  const ranges = list.split(',').map(range => range.split('-').map(Number));
  return new Set(
    ranges.flatMap(([from = 0, to = from]) => Array.from({ length: to - from + 1 }, (_, nth) => from + nth)),
  );
}

function processorTimes(): ProcessorTimes {
  const allowed = parseAllowedProcessors(read('/proc/self/status'));
  let [idle, total] = [0, 0];
  for (const [index, { times }] of cpus().entries()) {
    if (allowed?.has(index) === false) continue;
    idle += times.idle;
    total += times.idle + times.user + times.nice + times.sys + times.irq;
  }
  return { idle, total };
}

function findFirst<T>(places: readonly string[], find: (place: string) => T | undefined): T | undefined {
  for (const place of places) {
    const found = find(place);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** Reads a file of the kernel. Returns an empty text if it does not exist. */
function read(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}

/** Time between readings. Over less time a share says little: the kernel counts in hundredths of a second. */
const intervalMs = 200;

/**
 * Measures the longest time in which the processors were busy without a break. Servers may then be slow only because
 * they wait for a processor. A punctual driver does not rule that out: a mostly idle process gets a processor at once,
 * even when busy processes must share too few.
 */
export class BusyStretch {
  #last: { readonly atMs: number; readonly reading: PressureReading } | undefined;
  #currentMs = 0;
  /** The busy times that were longer than every later one. */
  #longest: readonly { readonly fromMs: number; readonly untilMs: number }[] = [];

  get longestMs(): number {
    return this.longestSince(Number.NEGATIVE_INFINITY);
  }

  /** Returns the longest busy time after a moment. */
  longestSince(sinceMs: number): number {
    return this.#longest.reduce((ms, { fromMs, untilMs }) => Math.max(ms, untilMs - Math.max(fromMs, sinceMs)), 0);
  }

  add(atMs: number, reading: PressureReading): void {
    const last = this.#last;
    this.#last = { atMs, reading };
    const isBusy = last && wasBusy(last.reading, reading, atMs - last.atMs);
    if (last === undefined || isBusy === undefined) return;
    this.#currentMs = isBusy ? this.#currentMs + atMs - last.atMs : 0;
    if (!isBusy) return;
    const longer = this.#longest.filter(({ fromMs, untilMs }) => untilMs - fromMs > this.#currentMs);
    this.#longest = [...longer, { fromMs: atMs - this.#currentMs, untilMs: atMs }];
  }
}

export interface ProcessorWatch {
  /** Returns the longest busy time, in ms, after a moment of `performance.now()`. */
  longestSince(ms: number): number;
  /** Ends the watch, and returns the longest busy time in ms. May be called twice. */
  stop(): number;
}

/** Watches the processors until it is stopped. */
export function watchProcessors(): ProcessorWatch {
  const stretch = new BusyStretch();
  const addReading = () => stretch.add(performance.now(), readPressure());
  addReading();
  const timer = setInterval(addReading, intervalMs);
  return {
    longestSince: ms => stretch.longestSince(ms),
    stop() {
      clearInterval(timer);
      return stretch.longestMs;
    },
  };
}

/** Returns a function that returns the share of processors used since this call, from 0 to 1. With a quota, it is the
 * share of the quota. */
export function measureProcessorShare(): () => number {
  const start = readPressure().processors;
  const quota = processorQuota() ?? Number.POSITIVE_INFINITY;
  return () => {
    const used = 1 - (idleShare(start, readPressure().processors) ?? 1);
    return Math.min(1, used * Math.max(1, availableParallelism() / quota));
  };
}
