/** Quantities count. More than a user can put there, and a quantity of a billion must not fill the memory. */
export const cartItemsMax = 10_000;

export const noCart = 'the answer holds no cart';
export const cartTooLarge = `the cart holds more than ${cartItemsMax} items`;

/**
 * The cart that these lines make, each a token and its quantity: a token with quantity k stands in it k times, and with
 * none not at all. A token on two lines counts with both: a cart must not hide a duplicate. A text says why it is none.
 */
export function cartOf(lines: readonly (readonly unknown[])[]): readonly string[] | string {
  const items: string[] = [];
  for (const [token, quantity] of lines) {
    if (typeof token !== 'string' || token === '' || !isQuantity(quantity)) return noCart;
    if (items.length + quantity > cartItemsMax) return cartTooLarge;
    for (let times = 0; times < quantity; times += 1) items.push(token);
  }
  return items;
}

function isQuantity(value: unknown): value is number {
  return Number.isSafeInteger(value) && Number(value) >= 0;
}
