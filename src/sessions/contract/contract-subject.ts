import type { StoreEntry } from '../session-store.js';

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
