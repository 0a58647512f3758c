import type { Mode, ModeName } from '../../modes.js';
import type { KeyRing } from '../../shared/key-ring.js';
import type { AttackBrowser } from './browser.js';

/** The system under attack, as an attacker finds it: addresses, and what its operator states of it. */
export interface Target {
  readonly mode: ModeName;
  /** What the session cookie carries. */
  readonly strategy: Mode['strategy'];
  /** Whether the proxy binds a browser to one backend. */
  readonly affinity: boolean;
  readonly proxyUrl: string;
  /** Each can be asked past the proxy. */
  readonly backends: readonly BackendAddress[];
  /** For so long after its end a session may still be honoured, as the mode states. */
  readonly revocationLagMs: number;
  readonly limits: Limits;
  /** Of every user that has chosen none. */
  readonly password: string;
  /** Of the user `admin`. */
  readonly administratorPassword: string;
  /** What the shop signs and seals with. No outsider has it: for tokens that are well signed, and wrong for another reason. */
  keyRing(): Promise<KeyRing>;
  /** A name that nobody else has. */
  freshUser(): string;
  /** Without any cookie; asks the proxy unless an origin is given. */
  browser(origin?: string): AttackBrowser;
  /** SIGKILL; resolves when the process is gone. It is started again when the attack is over. */
  kill(backend: string): Promise<void>;
  /** Starts what was killed: another incarnation. Resolves when the proxy sends users there again. */
  restart(backend: string): Promise<void>;
  /** For what two attacks must not do at the same moment: one after the other, in the order of the calls. */
  inTurn<T>(work: () => Promise<T>): Promise<T>;
}

/** Wherever it can be asked: the proxy first, then each backend past it. */
export function originsOf({ proxyUrl, backends }: Target): readonly string[] {
  return [proxyUrl, ...backends.map(({ url }) => url)];
}

export interface BackendAddress {
  readonly name: string;
  readonly url: string;
}

/** In milliseconds. */
export interface Limits {
  readonly idleMs: number;
  readonly absoluteMs: number;
}
