import type * as z from 'zod';
import type { ProcessSpec } from './processes/process-member.js';
import type { RunProgram } from './processes/run-program.js';

/** A store server that the lab can start, with one member or several. Implementations: `stores/registry.ts`. */
export interface StoreServer<Schema extends z.ZodType, Spec> {
  /** The schema of its settings in a scenario file: `system.<name>`. All of them have defaults. */
  readonly schema: Schema;
  /** Converts the settings that `schema` has read to the form that the lab uses. */
  specOf(settings: z.output<Schema>): Spec;
  /** The setting that decides how many members of a name there are, for error messages. */
  readonly memberSettings: readonly (readonly [members: RegExp, setting: string])[];
  /** Why a SIGTERM does not end it, and what to use instead; absent when SIGTERM ends it. */
  readonly survivesSigterm?: string;
  shape(spec: Spec): StoreShape;
  /** Prepares the files of its members and returns how to run them. Rejects with `LabError` if a program is missing. */
  prepare(place: StorePlace<Spec>): Promise<PreparedStore>;
}

/** Infers the types of a store server from its schema. */
export function defineStoreServer<Schema extends z.ZodType, Spec>(
  server: StoreServer<Schema, Spec>,
): StoreServer<Schema, Spec> {
  return server;
}

export interface StoreShape {
  /** The names of its members. The name of the server alone means the first. */
  readonly members: readonly [string, ...string[]];
  /** The names that backends connect to, and at which links from backends can end. Empty when a backend learns the
   * address at run time. */
  readonly addresses: readonly string[];
  /** Pairs of a primary and its replica. A link between them is possible; the replica is the one that connects. */
  readonly replications: readonly (readonly [from: string, to: string])[];
  /** True when its address can move: the backends then need links that can be retargeted. */
  readonly moves: boolean;
}

export interface StorePlace<Spec> {
  readonly spec: Spec;
  readonly portOf: (member: string) => number;
  /** Returns the port at which the replica `to` reaches the primary `from`: its port, or that of their link. */
  readonly feedPort: (from: string, to: string) => number;
  /** Creates a directory for the files of one member. The end of the lab removes it. */
  readonly directoryOf: (member: string) => Promise<string>;
  /** Runs a program that must end before a server can start. */
  readonly run: RunProgram;
}

export interface PreparedStore {
  /** Start order: all processes of a step start at once, as soon as all those of the earlier steps answer. */
  readonly steps: readonly (readonly ProcessSpec[])[];
  /** Returns whether its members have found each other. */
  readonly isWhole?: () => Promise<boolean>;
  /** Returns the URL for a backend that reaches each address and member at the port that `portOf` returns. */
  readonly url: (portOf: (name: string) => number) => string;
  /** Versions by program, for example `{ redis: '7.0.15' }`. */
  readonly versions: Readonly<Record<string, string>>;
}

/** Builds the shape of a server with a single member. */
export function buildSingleShape(name: string): StoreShape {
  return { members: [name], addresses: [name], replications: [], moves: false };
}
