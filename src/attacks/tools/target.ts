import type { Mode, ModeName } from '../../modes.js';
import type { KeyRing } from '../../shared/key-ring.js';
import type { AttackBrowser } from './browser.js';

/** The system under attack as an attacker sees it: its addresses, and what its operator documents. */
export interface Target {
  readonly mode: ModeName;
  /** The kind of session token in the cookie. */
  readonly strategy: Mode['strategy'];
  /** Whether the proxy binds a browser to one backend. */
  readonly affinity: boolean;
  readonly proxyUrl: string;
  /** Each backend can also be reached directly. */
  readonly backends: readonly BackendAddress[];
  /** How long after its end a session may still be accepted, as the mode states. */
  readonly revocationLagMs: number;
  readonly limits: Limits;
  /** The password of every user who has not changed it. */
  readonly password: string;
  /** The password of the user `admin`. */
  readonly administratorPassword: string;
  /**
   * Returns the keys with which the shop signs and seals. No outsider has them: they are for well-signed wrong tokens.
   */
  keyRing(): Promise<KeyRing>;
  /** Returns a user name that is not in use. */
  freshUser(): string;
  /** Returns a browser without cookies. It sends its requests to the proxy unless an origin is given. */
  browser(origin?: string): AttackBrowser;
  /** Sends SIGKILL and resolves when the process has exited. The backend is restarted after the attack. */
  kill(backend: string): Promise<void>;
  /** Starts a killed backend as a new incarnation. Resolves when the proxy sends users to it again. */
  restart(backend: string): Promise<void>;
  /** Whether the sessions, or the list of them, are in a store that the backends share. */
  readonly hasStore: boolean;
  /** Kills the store and starts it again: without its data, if it keeps them in memory. Resolves when every backend
   * reports it as up. */
  loseStore(): Promise<void>;
  /** Runs `work` alone, in the order of the calls. Use it for actions that two attacks must not do at the same time. */
  inTurn<T>(work: () => Promise<T>): Promise<T>;
}

/** Returns every origin of the system: the proxy first, then each backend. */
export function originsOf({ proxyUrl, backends }: Target): readonly string[] {
  return [proxyUrl, ...backends.map(({ url }) => url)];
}

/** Returns one of the origins for each index, in turn. */
export function originAt(target: Target, index: number): string {
  const origins = originsOf(target);
  return origins[index % origins.length] ?? target.proxyUrl;
}

export interface BackendAddress {
  readonly name: string;
  readonly url: string;
}

/** The limits of a session, in milliseconds. */
export interface Limits {
  readonly idleMs: number;
  readonly absoluteMs: number;
}
