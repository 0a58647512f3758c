import type { EngineFactory } from '../exchange.js';
import { httpProxyEngine } from './http-proxy.js';
import { wireEngine } from './wire.js';

interface EngineEntry {
  readonly summary: string;
  readonly make: EngineFactory;
  /** It also takes connections whose clients speak HTTP/2. */
  readonly http2: boolean;
}

/** The keys are the values of `--engine`. */
export const engines: Record<string, EngineEntry> = {
  wire: { summary: 'our own HTTP/1.1 on sockets, and HTTP/2 by Node', make: wireEngine, http2: true },
  'http-proxy': { summary: "Node's own HTTP server and the http-proxy library", make: httpProxyEngine, http2: false },
};
