import type { ListedRun, Operation } from '#src/simulator/history/records.js';

/** Makes every later read show the user's cart as it was at `atMs`. Undefined if the reads show that anyway. */
export function frozenCarts(run: ListedRun, atMs: number): ListedRun | undefined {
  const carts = cartsAt(run.operations, atMs);
  const operations = run.operations.map(operation =>
    operation.items === undefined || operation.sentMs < atMs
      ? operation
      : { ...operation, items: carts.get(operation.user) ?? [] },
  );
  const isTruth = operations.every(({ items = [] }, i) => `${items}` === `${run.operations[i]?.items ?? []}`);
  return isTruth ? undefined : { ...run, operations };
}

/** Returns the carts at `atMs`, from what was acknowledged or shown until then. A login begins with an empty cart. */
function cartsAt(operations: readonly Operation[], atMs: number): ReadonlyMap<string, readonly string[]> {
  const carts = new Map<string, string[]>();
  const before = operations.filter(({ doneMs, outcome }) => doneMs <= atMs && outcome === 'ok');
  for (const { user, kind, token, items } of before.toSorted((a, b) => a.doneMs - b.doneMs)) {
    const cart = carts.get(user) ?? [];
    if (kind === 'login') carts.set(user, []);
    else if (kind === 'read' && items !== undefined) carts.set(user, [...items]);
    else if (kind === 'add' && token !== undefined) carts.set(user, [...cart, token]);
    else if (kind === 'remove')
      carts.set(
        user,
        cart.filter(item => item !== token),
      );
  }
  return carts;
}
