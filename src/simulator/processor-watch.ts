import { cpus } from 'node:os';

/** Of all processors together, since the machine booted, in ms. */
export interface ProcessorTimes {
  readonly idle: number;
  readonly total: number;
}

/** The kernel counts in hundredths of a second: over less than this a share of it says little. */
const everyMs = 200;
/** Less than this share is what counting leaves over when nothing is idle. */
const idleShareMin = 0.05;

/**
 * How long the machine had no processor time left, on end. Servers that wait for it are slow on their own account, however
 * punctual the driver is: an idle process is given the processor at once, also where busy ones share what is not enough.
 */
export class BusyStretch {
  #last: (ProcessorTimes & { readonly atMs: number }) | undefined;
  #currentMs = 0;
  #longestMs = 0;

  /** Milliseconds. */
  get longestMs(): number {
    return this.#longestMs;
  }

  add(atMs: number, times: ProcessorTimes): void {
    const last = this.#last;
    this.#last = { atMs, ...times };
    const share = last && idleShare(last, times);
    if (last === undefined || share === undefined) return;
    this.#currentMs = share < idleShareMin ? this.#currentMs + atMs - last.atMs : 0;
    this.#longestMs = Math.max(this.#longestMs, this.#currentMs);
  }
}

/** Looks until what it returns is called, which tells the longest stretch in ms; safe twice. */
export function watchProcessors(): () => number {
  const stretch = new BusyStretch();
  const look = () => stretch.add(performance.now(), processorTimes());
  look();
  const timer = setInterval(look, everyMs);
  return () => {
    clearInterval(timer);
    return stretch.longestMs;
  };
}

/** What it returns tells which share of all processors has been used since this call, from 0 to 1. */
export function watchShare(): () => number {
  const start = processorTimes();
  return () => 1 - (idleShare(start, processorTimes()) ?? 1);
}

/** Undefined when no time has passed between the two. */
function idleShare(from: ProcessorTimes, to: ProcessorTimes): number | undefined {
  return to.total <= from.total ? undefined : (to.idle - from.idle) / (to.total - from.total);
}

function processorTimes(): ProcessorTimes {
  let [idle, total] = [0, 0];
  for (const { times } of cpus()) {
    idle += times.idle;
    total += times.idle + times.user + times.nice + times.sys + times.irq;
  }
  return { idle, total };
}
