import { availableParallelism } from 'node:os';
import { idleShare, lookAtPressure, type PressureLook, processorQuota, wasBusy } from './processor-pressure.js';

/** Over less than this a share says little: the kernel counts the time of processors in hundredths of a second. */
const everyMs = 200;

/**
 * How long there was no processor time to spare, on end. Servers that wait for it are slow on their own account, however
 * punctual the driver is: an idle process is given the processor at once, also where busy ones share what is not enough.
 */
export class BusyStretch {
  #last: { readonly atMs: number; readonly look: PressureLook } | undefined;
  #currentMs = 0;
  #longestMs = 0;

  /** Milliseconds. */
  get longestMs(): number {
    return this.#longestMs;
  }

  add(atMs: number, look: PressureLook): void {
    const last = this.#last;
    this.#last = { atMs, look };
    const isBusy = last && wasBusy(last.look, look, atMs - last.atMs);
    if (last === undefined || isBusy === undefined) return;
    this.#currentMs = isBusy ? this.#currentMs + atMs - last.atMs : 0;
    this.#longestMs = Math.max(this.#longestMs, this.#currentMs);
  }
}

/** Looks until what it returns is called, which tells the longest stretch in ms; safe twice. */
export function watchProcessors(): () => number {
  const stretch = new BusyStretch();
  const look = () => stretch.add(performance.now(), lookAtPressure());
  look();
  const timer = setInterval(look, everyMs);
  return () => {
    clearInterval(timer);
    return stretch.longestMs;
  };
}

/** What it returns tells which share of the processors has been used since this call, from 0 to 1: of those that a quota
 * leaves, where there is one. */
export function watchShare(): () => number {
  const start = lookAtPressure().processors;
  const quota = processorQuota() ?? Number.POSITIVE_INFINITY;
  return () => {
    const used = 1 - (idleShare(start, lookAtPressure().processors) ?? 1);
    return Math.min(1, used * Math.max(1, availableParallelism() / quota));
  };
}
