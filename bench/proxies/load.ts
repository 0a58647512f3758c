import type { Request } from './requests.js';

/** One round of load. */
export interface Load {
  readonly origin: string;
  readonly request: Request;
  /** One whole Cookie header per browser; may be empty. */
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
  /** Bytes received, including heads. */
  readonly bytes: number;
  /** Answers with another status than 200 to 399, and failed connections. */
  readonly errors: number;
}

/** Builds the headers of all browsers: the same except for the cookie. */
export function headersOf({ request, cookies }: Load): Record<string, string>[] {
  const all = cookies.length === 0 ? [''] : cookies;
  return all.map(cookie => ({ ...request.headers, ...(cookie === '' ? {} : { cookie }) }));
}
