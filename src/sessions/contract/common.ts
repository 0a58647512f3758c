import assert from 'node:assert/strict';
import type { SessionData } from '../session.js';
import type { SessionStore, StoreEntry } from '../session-store.js';

/** The functions of a test runner: those of Mocha and `node:test`. */
export interface TestRunner {
  describe(title: string, register: () => void): unknown;
  it(title: string, run: () => Promise<void> | void): unknown;
  before(run: () => Promise<void>): unknown;
  after(run: () => Promise<void>): unknown;
  beforeEach(run: () => Promise<void> | void): unknown;
  afterEach(run: () => Promise<void>): unknown;
}

/** The server behind a store. The contract stops it, to see what the store does. */
export interface StoreLabServer {
  /** Stops the process (SIGSTOP): connections stay open, writes to them succeed, and no reply comes. */
  freeze(): void;
  thaw(): void;
  /** Sends SIGKILL. Resolves when the process is gone. */
  kill(): Promise<void>;
  /** Starts it again on the same port with its data on disk. */
  restart(): Promise<void>;
}

export interface StoreLab {
  /** Undefined: the store has no server that could fail separately. */
  readonly server?: StoreLabServer | undefined;
  /** The address that `entry.open` gets. */
  readonly url: string | undefined;
  stop(): Promise<void>;
}

export interface ContractSubject {
  readonly entry: StoreEntry;
  /** Starts what the store needs. Called once, before the first test. */
  startLab(): Promise<StoreLab>;
  /** False: the server is never stopped. Default: true. */
  readonly outages?: boolean | undefined;
}

/** The idle limit of the sessions that the contract makes. */
export const idleMs = 1_800_000;

/** Asserts that two lists have the same members, in any order. */
export function assertMembers(given: unknown, expected: readonly unknown[]): void {
  assert.ok(Array.isArray(given));
  assert.deepEqual(given.map(String).toSorted(), expected.map(String).toSorted());
}

export function assertWithin(given: number, least: number, most: number): void {
  assert.ok(given >= least && given <= most, `expected ${given} to be within ${least} and ${most}`);
}

/** Adds a name to the edits of a session. Retries until it is saved. */
export async function append(store: SessionStore, id: string, name: string): Promise<void> {
  for (;;) {
    const found = await store.read(id);
    if (found === undefined) throw new Error('the session is gone');
    const data: SessionData = { edits: [...editsOf(found.data), name] };
    if ((await store.replace(id, { ...found, data, version: found.version + 1 })) === 'saved') return;
  }
}

function editsOf({ edits }: SessionData): readonly string[] {
  return Array.isArray(edits) ? edits.map(String) : [];
}
