import { createHash } from 'node:crypto';
import type { OperationKind } from '../history/records.js';

/** The users of a plan, and the names that a run gives to the items of its plan. */

/** The steps of one user: a list from a plan, or steps without end. */
export interface UserScript {
  /** The name that it logs in with. */
  readonly name: string;
  /** In the order of `atMs`. The first step is a login. Only steps in different tabs share a time. */
  readonly steps: Iterable<PlannedStep>;
}

export interface PlannedUser extends UserScript {
  readonly steps: readonly PlannedStep[];
}

export interface PlannedStep {
  /** Milliseconds since the start of the run. */
  readonly atMs: number;
  readonly kind: Exclude<OperationKind, 'replay'>;
  /** The item to add or remove, by its name in the plan. A run sends another name: see `tokenOf`. */
  readonly token?: string;
  /** The step happens in another tab of the same browser, so the next step does not wait for its answer. */
  readonly beside?: true;
  /** How long the app should wait between opening the session and changing it, if the app supports that. */
  readonly slowMs?: number;
}

export const nonceShape = /^[0-9a-z]{4}$/;
const restLength = 8;
const ofSomeRun = /^(.+)\.([0-9a-z]{4})([0-9a-z]{8})$/;

/** Returns a new nonce. `random` returns numbers in [0, 1). */
export function makeNonce(random: () => number): string {
  return Array.from({ length: 4 }, () => Math.floor(random() * 36).toString(36)).join('');
}

/**
 * Returns the item that a run with this nonce sends for an item of its plan. Pure. A plan holds `user-3.7`; a run sends
 * `user-3.7.<nonce><rest>`. The nonce separates the items of one run from items that an app still keeps from another
 * run. The rest does not compress, so that a cookie that holds the cart grows as it would with real items.
 */
export function tokenOf(planned: string, nonce: string): string {
  return `${planned}.${nonce}${restOf(planned, nonce)}`;
}

/** Whether `tokenOf` made the item with another nonce. The rest proves it: no item of an app has the same rest by
 * chance. */
export function isOfOtherRun(item: string, nonce: string): boolean {
  const [, planned = '', its = '', rest] = ofSomeRun.exec(item) ?? [];
  return its !== nonce && rest === restOf(planned, its);
}

function restOf(planned: string, nonce: string): string {
  const digest = createHash('sha256').update(`${nonce}/${planned}`).digest();
  return (digest.readBigUInt64BE() % 36n ** BigInt(restLength)).toString(36).padStart(restLength, '0');
}
