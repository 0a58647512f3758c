/** Upper bounds in seconds: from a local in-memory answer to the longest wait for a response head. */
const boundsSeconds = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];

/** Plain data: it can be sent to another process. */
export interface DurationCounts {
  /** Not cumulative; the last one has no upper bound. */
  readonly buckets: Float64Array;
  sumMs: number;
}

/**
 * Durations in buckets, as Prometheus counts them. One observation is a search and three additions: the histogram of
 * a metrics library makes and hashes a label object each time, which is felt when it is done for every request.
 */
export class DurationHistogram {
  readonly counts: DurationCounts = { buckets: new Float64Array(boundsSeconds.length + 1), sumMs: 0 };

  observe(durationMs: number): void {
    const seconds = durationMs / 1000;
    let bucket = 0;
    while (seconds > (boundsSeconds[bucket] ?? Number.POSITIVE_INFINITY)) bucket += 1;
    const { counts } = this;
    counts.buckets[bucket] = (counts.buckets[bucket] ?? 0) + 1;
    counts.sumMs += durationMs;
  }

  /** In the text format of Prometheus; buckets are cumulative there. */
  text(name: string, help: string): string {
    let total = 0;
    const buckets = [...this.counts.buckets].map((count, bucket) => {
      total += count;
      return `${name}_bucket{le="${boundsSeconds[bucket] ?? '+Inf'}"} ${total}`;
    });
    const sums = [`${name}_sum ${this.counts.sumMs / 1000}`, `${name}_count ${total}`];
    return [`# HELP ${name} ${help}`, `# TYPE ${name} histogram`, ...buckets, ...sums, ''].join('\n');
  }
}
