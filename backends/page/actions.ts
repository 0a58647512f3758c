/** Describes the result of an action of the visitor. Pure, like the story. */

/** The parts of `apple was added` or `you were logged out`, so that a "not" fits between. */
export interface ActionText {
  readonly subject: string;
  readonly verb: 'was' | 'were';
  readonly participle: string;
}

export type Result =
  | { readonly kind: 'done'; readonly quantity: number }
  | { readonly kind: 'refused'; readonly error: string }
  /** No byte of the request reached a backend. */
  | { readonly kind: 'not-sent' }
  | { readonly kind: 'unknown' };

export function tellAction({ subject, verb, participle }: ActionText, result: Result): string {
  if (result.kind === 'unknown') {
    return `It is unknown whether ${subject} ${verb} ${participle}: no answer came back. Check before you try again.`;
  }
  if (result.kind === 'not-sent') {
    return `${capitalize(subject)} ${verb} not ${participle}: no backend could be reached, and nothing was sent. Try again.`;
  }
  if (result.kind === 'refused') return `${capitalize(subject)} ${verb} not ${participle}: ${result.error}.`;
  const count = result.quantity > 1 ? `: you have ${result.quantity} now` : '';
  return `${capitalize(subject)} ${verb} ${participle}${count}.`;
}

/** Names the items that were acknowledged and are not in the cart. */
export function tellMissing(expected: readonly string[], shown: readonly string[]): string | undefined {
  const missing = expected.filter(sku => !shown.includes(sku));
  if (missing.length === 0) return undefined;
  const them = missing.length === 1 ? 'it' : 'them';
  return `Missing from your cart: ${missing.join(', ')}. Unless you removed ${them} in another tab, ${them === 'it' ? 'it was' : 'they were'} acknowledged and lost.`;
}

function capitalize(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
