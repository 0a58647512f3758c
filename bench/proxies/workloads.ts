import { big, browser, closing, post, type Request, small } from './requests.js';

interface Common {
  readonly summary: string;
  readonly tls?: boolean;
}

/** Clients that send the next request after each answer. */
export interface LoadWorkload extends Common {
  readonly kind: 'load';
  readonly request: Request;
  readonly connections: number;
}

/** Connections that were used once and then wait. */
export interface IdleWorkload extends Common {
  readonly kind: 'idle';
  readonly connections: number;
}

export type Workload = LoadWorkload | IdleWorkload;

/** The keys are the values of `--workloads`. */
export const workloads: Readonly<Record<string, Workload>> = {
  small: { kind: 'load', summary: '60 bytes of JSON, 64 connections', request: small, connections: 64 },
  browser: { kind: 'load', summary: 'the same, asked with the head of a browser', request: browser, connections: 64 },
  big: { kind: 'load', summary: '1 MiB answers, 16 connections', request: big, connections: 16 },
  post: { kind: 'load', summary: 'POST of 1 KiB, 64 connections', request: post, connections: 64 },
  tls: {
    kind: 'load',
    summary: '60 bytes of JSON over TLS, 64 connections',
    request: small,
    connections: 64,
    tls: true,
  },
  connect: { kind: 'load', summary: '60 bytes, a new connection each, 64 at once', request: closing, connections: 64 },
  idle: { kind: 'idle', summary: '10,000 idle connections', connections: 10_000 },
};
