import type { Observation, Served } from './story.js';

/** One request to the shop and its result. `ask` never rejects. */
export interface PageAnswer {
  /** Undefined for an answer that does not name the user, such as 400. */
  readonly observation: Observation | undefined;
  readonly result: Result;
  readonly body: Readonly<Record<string, unknown>>;
}

type Result =
  | { readonly kind: 'done'; readonly quantity: number }
  | { readonly kind: 'refused'; readonly error: string }
  /** No byte of the request reached a backend. */
  | { readonly kind: 'not-sent' }
  | { readonly kind: 'unknown' };

/** Time-out of a request: longer than the proxy needs to try another backend, and short enough for a waiting person. */
const answerMsMax = 5_000;

export async function ask(method: string, path: string, content?: object): Promise<PageAnswer> {
  try {
    const response = await fetch(path, {
      method,
      cache: 'no-store',
      signal: AbortSignal.timeout(answerMsMax),
      ...(content === undefined
        ? {}
        : { headers: { 'content-type': 'application/json' }, body: JSON.stringify(content) }),
    });
    return response.headers.has('holdfast-backend') ? await fromBackend(response) : fromProxy(response);
  } catch (error) {
    const isLate = error instanceof DOMException && error.name === 'TimeoutError';
    return { observation: { kind: isLate ? 'hang' : 'silence' }, result: { kind: 'unknown' }, body: {} };
  }
}

function fromProxy(response: Response): PageAnswer {
  const notSent = /outcome=not-sent/.test(response.headers.get('proxy-status') ?? '');
  return { observation: { kind: 'no-backend' }, result: { kind: notSent ? 'not-sent' : 'unknown' }, body: {} };
}

async function fromBackend(response: Response): Promise<PageAnswer> {
  const body: Record<string, unknown> = Object(await response.json());
  if (response.status >= 500) {
    const observation: Observation = response.status === 503 ? { kind: 'store-down' } : { kind: 'no-backend' };
    return { observation, result: { kind: 'unknown' }, body };
  }
  const quantity = typeof body.quantity === 'number' ? body.quantity : 0;
  const done: Result = { kind: 'done', quantity };
  const refused: Result = { kind: 'refused', error: text(body.error) ?? `status ${response.status}` };
  const tells = response.ok || response.status === 401;
  return { observation: tells ? servedBy(response, body) : undefined, result: response.ok ? done : refused, body };
}

function servedBy({ headers }: Response, body: Readonly<Record<string, unknown>>): Served {
  return {
    kind: 'served',
    user: text(body.user),
    why: text(body.why),
    backend: headers.get('holdfast-backend') ?? '',
    incarnation: headers.get('holdfast-incarnation') ?? '',
    moved: text(Object(body.affinity).reason),
  };
}

function text(value: unknown): string | null {
  return typeof value === 'string' ? value : null;
}

/** The parts of `apple was added` or `you were logged out`, so that a "not" fits between. */
export interface ActionText {
  readonly subject: string;
  readonly verb: 'was' | 'were';
  readonly participle: string;
}

/** Describes the result of an action of the visitor. Pure, like the story. */
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
