/** What every server of bench/sessions.ts does: POST /login, GET /cart, POST /cart {sku}, GET /health. */

export type Cart = Record<string, number>;

/** One more of it. The load knows five skus, so that a cart does not grow for ever. */
export function putInto(cart: Cart, sku: string): Cart {
  return { ...cart, [sku]: (cart[sku] ?? 0) + 1 };
}

export function listen(start: (port: number) => unknown): void {
  start(Number(process.env.PORT));
  process.once('SIGTERM', () => process.exit(0));
}
