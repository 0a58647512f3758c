import { availableParallelism } from 'node:os';
import { idleShare, type PressureReading, processorQuota, readPressure, wasBusy } from './processor-pressure.js';

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
  #longestMs = 0;

  get longestMs(): number {
    return this.#longestMs;
  }

  add(atMs: number, reading: PressureReading): void {
    const last = this.#last;
    this.#last = { atMs, reading };
    const isBusy = last && wasBusy(last.reading, reading, atMs - last.atMs);
    if (last === undefined || isBusy === undefined) return;
    this.#currentMs = isBusy ? this.#currentMs + atMs - last.atMs : 0;
    this.#longestMs = Math.max(this.#longestMs, this.#currentMs);
  }
}

/** Watches the processors until the returned function is called. That function returns the longest busy time in ms, and
 * may be called twice. */
export function watchProcessors(): () => number {
  const stretch = new BusyStretch();
  const addReading = () => stretch.add(performance.now(), readPressure());
  addReading();
  const timer = setInterval(addReading, intervalMs);
  return () => {
    clearInterval(timer);
    return stretch.longestMs;
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
