import { setTimeout as delay } from 'node:timers/promises';

/** The API of every server of bench/sessions.ts: POST /login, GET /cart, POST /cart {sku, waitMs}, POST /logout,
 * GET /health. */

export type Cart = Record<string, number>;

/** Adds one item. The load uses five skus, so that a cart does not grow without limit. */
export function putInto(cart: Cart, sku: string): Cart {
  return { ...cart, [sku]: (cart[sku] ?? 0) + 1 };
}

/** The time that an add waits for something else, between the read and the write of the session. */
export async function waitFor(waitMs = 0): Promise<void> {
  if (waitMs > 0) await delay(waitMs);
}

export function listen(start: (port: number) => unknown): void {
  start(Number(process.env.PORT));
  process.once('SIGTERM', () => process.exit(0));
}
