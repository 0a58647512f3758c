import type { OperationKind, OperationOutcome } from '../history/records.js';
import type { AppReply, Journey } from './journey.js';

/** What an operation came to, as far as the reply tells. */
export interface Judgement {
  readonly outcome: OperationOutcome;
  readonly identity?: string | null;
  readonly items?: readonly string[];
  readonly error?: string;
}

/** How the error of an answer ends whose status fits, and whose body does not. */
export const wrongBody = 'with another body than expected';

const writes: ReadonlySet<OperationKind> = new Set(['login', 'add', 'remove', 'logout']);

/**
 * Pure. `ok`: the whole answer came and is the one that the journey expects. `fail`: certainly not applied. `unknown`:
 * everything else. A read has nothing to apply, so one that is not ok is `fail`.
 */
export function judge(kind: OperationKind, reply: AppReply, journey: Journey): Judgement {
  const answer = reply.complete ? journey.parse(reply) : undefined;
  const identity = identityOf(kind, reply, answer, journey);
  const said = identity === undefined ? {} : { identity };
  const wrong = problemOf(kind, reply, identity, journey);
  const showsCart = (kind === 'read' || (kind === 'replay' && identity !== null)) && wrong === undefined;
  const cart = showsCart ? journey.items(answer) : undefined;
  const problem = typeof cart === 'string' ? cart : (wrong ?? problemOfReplay(kind, reply, identity, journey, cart));
  const items = typeof cart === 'object' && { items: cart };
  if (problem === undefined) return { outcome: 'ok', ...said, ...items };
  const outcome = writes.has(kind) && !certainlyNotApplied(kind, reply, journey) ? 'unknown' : 'fail';
  return { outcome, ...said, ...(kind === 'replay' && items), error: problem };
}

/**
 * Says why a replay shows that its logout ended nothing: the answer names its user, or shows the cart. A journey that
 * reads no names can only go by the cart, and an empty one shows nothing.
 */
function problemOfReplay(
  kind: OperationKind,
  reply: AppReply,
  identity: string | null | undefined,
  journey: Journey,
  cart: readonly string[] | undefined,
): string | undefined {
  if (kind !== 'replay' || identity === null) return undefined;
  if (typeof identity === 'string' || journey.naming.has('read')) return `${statusOf(reply)} after the logout`;
  return cart?.length === 0 ? undefined : 'the cart is shown after the logout';
}

function identityOf(
  kind: OperationKind,
  reply: AppReply,
  answer: unknown,
  journey: Journey,
): string | null | undefined {
  if (!reply.complete || proxyWord(reply) !== undefined) return undefined;
  if (journey.isAnonymous(kind, reply)) return null;
  // An anonymous answer to a logout does not say which user the session had when the logout arrived.
  return kind === 'logout' ? undefined : journey.identity(kind, answer);
}

/** Says why it is not ok, as far as status and names tell; undefined when they are fine. */
function problemOf(
  kind: OperationKind,
  reply: AppReply,
  identity: string | null | undefined,
  journey: Journey,
): string | undefined {
  if (!reply.complete) return reply.error;
  if (kind === 'replay' && identity === null) return undefined;
  if (!journey.isOk(kind, reply)) return notOk(kind, reply, journey);
  if (kind === 'replay') return undefined;
  if (typeof identity === 'string' || (identity === undefined && !journey.naming.has(kind))) return undefined;
  return kind === 'logout' || identity === undefined ? 'the answer names no user' : 'answered as anonymous';
}

function notOk(kind: OperationKind, reply: AppReply, journey: Journey): string {
  if (kind === 'replay') return `${statusOf(reply)} after the logout`;
  return journey.hasWrongBody?.(kind, reply) ? `${statusOf(reply)} ${wrongBody}` : statusOf(reply);
}

function statusOf({ status, headers }: AppReply): string {
  return typeof headers.location === 'string' ? `status ${status} to ${headers.location}` : `status ${status}`;
}

/**
 * Returns what Holdfast's proxy says about its own answer (RFC 9209). It lets no backend speak under its name; what a backend
 * says under a similar one, or in a quoted text, must not turn "unknown" into "certainly not applied".
 */
function proxyWord({ headers }: AppReply): 'not-sent' | 'unknown' | undefined {
  const lines = [headers['proxy-status'] ?? []].flat();
  const own = lines.flatMap(entriesOf).filter(([name]) => name === 'holdfast');
  if (own.length === 0) return undefined;
  return own.every(([, ...parameters]) => parameters.includes('outcome=not-sent')) ? 'not-sent' : 'unknown';
}

/** The entries of a list of RFC 9651, each its name and its parameters; quoted texts are left out. */
function entriesOf(line: string): string[][] {
  const unquoted = line.replaceAll(/"(?:[^"\\]|\\.)*(?:"|$)/g, '');
  return unquoted.split(',').map(entry => entry.split(';').map(part => part.trim()));
}

function certainlyNotApplied(kind: OperationKind, reply: AppReply, journey: Journey): boolean {
  if (!reply.handedOver) return true;
  const word = proxyWord(reply);
  if (word !== undefined) return word === 'not-sent';
  if (!reply.complete || reply.status === undefined) return false;
  // A request that was sent to the login page has changed nothing, whatever the status.
  return journey.isAnonymous(kind, reply) || (reply.status >= 400 && reply.status < 500);
}
