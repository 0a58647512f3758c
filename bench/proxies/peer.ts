import type { Command } from './processes.js';

/** Where and how a proxy is to run. */
export interface Place {
  readonly port: number;
  readonly backendPorts: readonly number[];
  /** Folder for its files; removed afterwards. */
  readonly folder: string;
  /** The certificate for TLS; undefined: plain HTTP. */
  readonly certificate: Certificate | undefined;
}

export interface Certificate {
  readonly certFile: string;
  readonly keyFile: string;
}

export interface Peer {
  readonly version: string;
  /** Returns the command that starts it in front of the backends. */
  command(place: Place): Promise<Command>;
}

/** Returns a peer, or why it cannot take part. */
export type FindPeer = () => Peer | { readonly leftOut: string };
