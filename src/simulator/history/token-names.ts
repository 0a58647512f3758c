import { createHash } from 'node:crypto';

/**
 * Names the items that users add to their carts. A plan holds `user-3.7`; a run sends `user-3.7.<nonce><rest>`. The
 * nonce separates the items of one run from items that an app still keeps from another run. The rest does not compress,
 * so that a cookie that holds the cart grows as it would with real items.
 */

export const nonceShape = /^[0-9a-z]{4}$/;
const restLength = 8;
const ofSomeRun = /^(.+)\.([0-9a-z]{4})([0-9a-z]{8})$/;

/** Returns a new nonce. `random` returns numbers in [0, 1). */
export function makeNonce(random: () => number): string {
  return Array.from({ length: 4 }, () => Math.floor(random() * 36).toString(36)).join('');
}

/** Returns the item that a run with this nonce sends for an item of its plan. Pure. */
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
