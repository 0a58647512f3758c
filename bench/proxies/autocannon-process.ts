/** Runs autocannon once with the options given as JSON; prints a `LoadResult`. */
import autocannon from 'autocannon';
import type { LoadResult } from './load.js';

const { requests, throughput, latency, duration, non2xx, errors } = await autocannon(JSON.parse(process.argv[2] ?? ''));
const result: LoadResult = {
  requests: requests.total,
  seconds: duration,
  p50Ms: latency.p50,
  p99Ms: latency.p99,
  bytes: throughput.total,
  errors: non2xx + errors,
};
process.stdout.write(JSON.stringify(result));
