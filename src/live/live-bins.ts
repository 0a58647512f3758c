import { hasWaitTime } from '../simulator/checker/load.js';
import { percentilesOf } from '../simulator/checker/percentiles.js';
import type { Operation } from '../simulator/history/records.js';
import { type BinView, shownMs } from './protocol.js';

const binMs = 1_000;
/** The part of the run that the percentile of the counters covers. */
const recentMs = 5_000;

interface Bin {
  readonly atMs: number;
  readonly counts: { ok: number; failed: number; unknown: number };
  /** When each answered operation ended, and its response time. */
  readonly doneMs: number[];
  readonly latencyMs: number[];
  /** The latest view, until another operation ends in this second. */
  view: BinView | undefined;
}

/** Counts the operations of each second in which they ended, for the last minute. */
export class LiveBins {
  readonly #bins = new Map<number, Bin>();

  note(operation: Operation): void {
    const { outcome, doneMs, plannedMs } = operation;
    const bin = this.#binAt(Math.floor(doneMs / binMs) * binMs);
    bin.view = undefined;
    bin.counts[outcome === 'fail' ? 'failed' : outcome] += 1;
    if (!hasWaitTime(operation)) return;
    bin.doneMs.push(doneMs);
    bin.latencyMs.push(doneMs - plannedMs);
  }

  /** Returns the seconds of the last minute in which an operation ended, in order. Forgets earlier ones. */
  view(nowMs: number): BinView[] {
    for (const atMs of this.#bins.keys()) if (atMs <= nowMs - shownMs - binMs) this.#bins.delete(atMs);
    return [...this.#bins.values()].sort((a, b) => a.atMs - b.atMs).map(viewOf);
  }

  /** Returns the 99th percentile of the response times of the last five seconds. Null: there was no answer. */
  recentP99Ms(nowMs: number): number | null {
    const latencyMs: number[] = [];
    for (const bin of this.#bins.values()) {
      if (bin.atMs + binMs <= nowMs - recentMs) continue;
      bin.doneMs.forEach((doneMs, i) => {
        if (doneMs > nowMs - recentMs) latencyMs.push(bin.latencyMs[i] ?? 0);
      });
    }
    return percentilesOf(Float64Array.from(latencyMs)).p99;
  }

  #binAt(atMs: number): Bin {
    let bin = this.#bins.get(atMs);
    if (bin === undefined) {
      bin = { atMs, counts: { ok: 0, failed: 0, unknown: 0 }, doneMs: [], latencyMs: [], view: undefined };
      this.#bins.set(atMs, bin);
    }
    return bin;
  }
}

function viewOf(bin: Bin): BinView {
  if (bin.view === undefined) {
    const { p50, p99 } = percentilesOf(Float64Array.from(bin.latencyMs));
    bin.view = { atMs: bin.atMs, ...bin.counts, p50Ms: p50, p99Ms: p99 };
  }
  return bin.view;
}
