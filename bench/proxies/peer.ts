import type { Command } from './processes.js';

/** Where a proxy is to stand. */
export interface Place {
  readonly port: number;
  readonly backendPorts: readonly number[];
  /** For its files; removed afterwards. */
  readonly folder: string;
  /** It is to speak TLS with these. */
  readonly certificate: Certificate | undefined;
}

export interface Certificate {
  readonly certFile: string;
  readonly keyFile: string;
}

export interface Peer {
  readonly version: string;
  /** How it is started before the backends. */
  command(place: Place): Promise<Command>;
}

/** A peer, or why it cannot take part. */
export type FindPeer = () => Peer | { readonly leftOut: string };
