import type { Share } from './moments-of-issue.js';
import type { ProxyOptions } from './options.js';

/** What serving needs to know. Plain data: it can be sent to another process. */
export interface ServingOptions
  extends Omit<ProxyOptions, 'admin' | 'backends' | 'health' | 'drainMs' | 'workers' | 'onEvent'> {
  /** Which of several workers this is. */
  readonly share?: Share;
}

/** Whatever else is there, functions or the admin token, has no business in another process. */
export function servingOptions(options: ProxyOptions): ServingOptions {
  const { admin, backends, health, drainMs, workers, onEvent, ...serving } = options;
  return serving;
}
