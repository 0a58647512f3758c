/** One measured value. */
export interface Sample {
  readonly atMs: number;
  readonly value: number;
}

/** The straight line of best fit through the samples. */
export interface Trend {
  readonly perHour: number;
  /** The rise of the line from the first sample to the last. */
  readonly growth: number;
  /** The standard deviation of the samples from the line. */
  readonly noise: number;
  readonly first: number;
  readonly last: number;
  readonly max: number;
}

const hourMs = 3_600_000;

/** Fits the line by least squares. Undefined for fewer than three samples, through which any line would fit. */
export function trend(samples: readonly Sample[]): Trend | undefined {
  const [first, last] = [samples[0], samples.at(-1)];
  if (first === undefined || last === undefined || samples.length < 3) return undefined;
  const meanAt = mean(samples.map(({ atMs }) => atMs));
  const level = mean(samples.map(({ value }) => value));
  const spread = sum(samples.map(({ atMs }) => (atMs - meanAt) ** 2));
  const slope = sum(samples.map(({ atMs, value }) => (atMs - meanAt) * (value - level))) / spread;
  const off = samples.map(({ atMs, value }) => (value - level - slope * (atMs - meanAt)) ** 2);
  return {
    perHour: slope * hourMs,
    growth: slope * (last.atMs - first.atMs),
    noise: Math.sqrt(mean(off)),
    first: first.value,
    last: last.value,
    max: Math.max(...samples.map(({ value }) => value)),
  };
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

function mean(values: readonly number[]): number {
  return sum(values) / values.length;
}
