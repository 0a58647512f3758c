import type { ProcessSpec } from './process-member.js';
import type { RunProgram } from './run-program.js';

/** A store server that the lab can start as a member of its own name. Implementations: `stores/registry.ts`. */
export interface StoreServer {
  /** Readies what the server needs, and says how it is run. Rejects with `LabError` when its program is missing. */
  prepare(place: StorePlace): Promise<PreparedStore>;
}

export interface StorePlace {
  readonly port: number;
  /** For its files: empty, its own, and removed with the lab. */
  readonly directory: string;
  /** So much for what it keeps; undefined leaves it to the server. Only a store that can be bounded looks at it. */
  readonly memoryMb?: number | undefined;
  /** For what must be done before the server can start. */
  readonly run: RunProgram;
}

export interface PreparedStore {
  readonly spec: ProcessSpec;
  /** What the backends are told. */
  readonly url: string;
  /** For example `{ redis: '7.0.15' }`. */
  readonly versions: Readonly<Record<string, string>>;
}
