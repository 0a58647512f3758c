import type { ProcessSpec } from './process-member.js';
import type { RunProgram } from './run-program.js';
import type { StoresSpec } from './stores-spec.js';

/** A store server that the lab can start, as one member or as several. Implementations: `stores/registry.ts`. */
export interface StoreServer {
  shape(spec: StoresSpec): StoreShape;
  /** Readies what its members need, and says how they are run. Rejects with `LabError` when a program is missing. */
  prepare(place: StorePlace): Promise<PreparedStore>;
}

export interface StoreShape {
  /** The names of its members; the first is the one that its own name stands for. */
  readonly members: readonly [string, ...string[]];
  /** What a backend connects to, and what a link from it can lead to. Empty where it learns that at run time. */
  readonly addresses: readonly string[];
  /** Which members one of them feeds: links between them, though it is the fed one that connects. */
  readonly feeds: readonly (readonly [from: string, to: string])[];
  /** Its address may move: the backends need links that can be led elsewhere. */
  readonly moves: boolean;
}

export interface StorePlace {
  readonly spec: StoresSpec;
  readonly portOf: (member: string) => number;
  /** Where `to` connects to be fed by `from`: its port, or that of the link between them. */
  readonly feedPort: (from: string, to: string) => number;
  /** For the files of a member: empty, its own, and removed with the lab. */
  readonly directoryOf: (member: string) => Promise<string>;
  /** For what must be done before a server can start. */
  readonly run: RunProgram;
}

export interface PreparedStore {
  /** Those of one step start in any order, or at the same time, when those of the steps before it answer. */
  readonly steps: readonly (readonly ProcessSpec[])[];
  /** Whether its members have found each other. */
  readonly isWhole?: () => Promise<boolean>;
  /** What a backend is told that sees each address (and each member) at this port. */
  readonly url: (portOf: (name: string) => number) => string;
  /** For example `{ redis: '7.0.15' }`. */
  readonly versions: Readonly<Record<string, string>>;
}

/** What a server without companions is. */
export function alone(name: string): StoreShape {
  return { members: [name], addresses: [name], feeds: [], moves: false };
}
