import type { EngineFactory } from '../exchange.js';
import { httpProxyEngine } from './http-proxy.js';
import { wireEngine } from './wire.js';

/** The keys are the values of `--engine`. */
export const engines: Record<string, { readonly summary: string; readonly make: EngineFactory }> = {
  wire: { summary: 'HTTP/1.1 on sockets, our own', make: wireEngine },
  'http-proxy': { summary: "Node's own HTTP server and the http-proxy library", make: httpProxyEngine },
};
