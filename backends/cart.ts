import type { Json, SessionData } from '#src/sessions/session.js';
import { CartFull, NotUnderstood } from './refusal.js';

/**
 * The cart lies in the session as a list of [sku, quantity]. A list and not an object: `__proto__` is a legal sku, and
 * as the key of an object it would be a cart that cannot be filled.
 */
export type Cart = Map<string, number>;

export const itemsMax = 500;

/** A plan file may name an item with 64 letters; a run adds 13 to it. */
const skuShape = /^[A-Za-z0-9_.:-]{1,80}$/;

export function checkedSku(sku: string): string {
  if (skuShape.test(sku)) return sku;
  throw new NotUnderstood('expected a sku of 1 to 80 letters, digits, or any of _ . : -');
}

export function cartOf(data: SessionData): Cart {
  const cart: Cart = new Map();
  for (const line of listIn(data.cart)) {
    const [sku, quantity] = listIn(line);
    if (typeof sku === 'string' && typeof quantity === 'number') cart.set(sku, quantity);
  }
  return cart;
}

export function addOne(data: SessionData, sku: string): void {
  const cart = cartOf(data);
  if (!cart.has(sku) && cart.size >= itemsMax) throw new CartFull(itemsMax);
  cart.set(sku, (cart.get(sku) ?? 0) + 1);
  data.cart = [...cart];
}

/** Nothing changes when the item is not there, so that nothing is written either. */
export function removeAll(data: SessionData, sku: string): void {
  const cart = cartOf(data);
  if (cart.delete(sku)) data.cart = [...cart];
}

function listIn(value: Json | undefined): readonly Json[] {
  return Array.isArray(value) ? value : [];
}
