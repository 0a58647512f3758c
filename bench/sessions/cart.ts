/** The API of every server of bench/sessions.ts: POST /login, GET /cart, POST /cart {sku}, GET /health. */

export type Cart = Record<string, number>;

/** Adds one item. The load uses five skus, so that a cart does not grow without limit. */
export function putInto(cart: Cart, sku: string): Cart {
  return { ...cart, [sku]: (cart[sku] ?? 0) + 1 };
}

export function listen(start: (port: number) => unknown): void {
  start(Number(process.env.PORT));
  process.once('SIGTERM', () => process.exit(0));
}
