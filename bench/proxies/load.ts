import type { Request } from './requests.js';

/** One round of load. */
export interface Load {
  readonly origin: string;
  readonly request: Request;
  /** One per browser, each a whole Cookie header; may be empty. */
  readonly cookies: readonly string[];
  readonly connections: number;
  readonly seconds: number;
  readonly folder: string;
}

export interface LoadResult {
  readonly requests: number;
  readonly seconds: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** Received, heads and all. */
  readonly bytes: number;
  /** Answers that were not 200 to 399, and connections that failed. */
  readonly errors: number;
}

/** The requests of the browsers: the same but for the cookie. */
export function headersOf({ request, cookies }: Load): Record<string, string>[] {
  const all = cookies.length === 0 ? [''] : cookies;
  return all.map(cookie => ({ ...request.headers, ...(cookie === '' ? {} : { cookie }) }));
}
