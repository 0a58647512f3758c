import type { OperationKind, OperationOutcome } from '../history/records.js';
import type { AppReply, Journey } from './journey.js';

/** The outcome of an operation, as its reply shows it. */
export interface Judgement {
  readonly outcome: OperationOutcome;
  readonly identity?: string | null;
  readonly items?: readonly string[];
  readonly error?: string;
}

/** How the error ends when the status is as expected and the body is not. */
export const wrongBody = 'with another body than expected';

const writes: ReadonlySet<OperationKind> = new Set(['login', 'add', 'remove', 'logout']);

/**
 * Judges the reply to an operation. Pure. `ok`: the whole answer arrived, and is the one that the journey expects.
 * `fail`: certainly not applied. `unknown`: everything else. A read applies nothing, so a read that is not ok is
 * `fail`.
 */
export function judge(kind: OperationKind, reply: AppReply, journey: Journey): Judgement {
  const answer = reply.complete ? journey.parse(reply) : undefined;
  const identity = identityOf(kind, reply, answer, journey);
  const said = identity === undefined ? {} : { identity };
  const wrong = describeProblem(kind, reply, identity, journey);
  const showsCart = (kind === 'read' || (kind === 'replay' && identity !== null)) && wrong === undefined;
  const cart = showsCart ? journey.items(answer) : undefined;
  const problem =
    typeof cart === 'string' ? cart : (wrong ?? describeReplayProblem(kind, reply, identity, journey, cart));
  const items = typeof cart === 'object' && { items: cart };
  if (problem === undefined) return { outcome: 'ok', ...said, ...items };
  const outcome = writes.has(kind) && !isCertainlyNotApplied(kind, reply, journey) ? 'unknown' : 'fail';
  return { outcome, ...said, ...(kind === 'replay' && items), error: problem };
}

/**
 * Says how a replay shows that the logout did not end the session: its answer names the user, or shows the cart. If the
 * journey reads no names, only the cart can show it, and an empty cart shows nothing.
 */
function describeReplayProblem(
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
  if (!reply.complete || readProxyStatus(reply) !== undefined) return undefined;
  if (journey.isAnonymous(kind, reply)) return null;
  // An anonymous answer to a logout does not say which user the session had when the logout arrived.
  return kind === 'logout' ? undefined : journey.identity(kind, answer);
}

/** Says why the reply is not ok, from its status and names. Undefined when they are as expected. */
function describeProblem(
  kind: OperationKind,
  reply: AppReply,
  identity: string | null | undefined,
  journey: Journey,
): string | undefined {
  if (!reply.complete) return reply.error;
  if (kind === 'replay' && identity === null) return undefined;
  if (!journey.isOk(kind, reply)) return describeNotOk(kind, reply, journey);
  if (kind === 'replay') return undefined;
  if (typeof identity === 'string' || (identity === undefined && !journey.naming.has(kind))) return undefined;
  return kind === 'logout' || identity === undefined ? 'the answer names no user' : 'answered as anonymous';
}

function describeNotOk(kind: OperationKind, reply: AppReply, journey: Journey): string {
  if (kind === 'replay') return `${statusOf(reply)} after the logout`;
  return journey.hasWrongBody?.(kind, reply) ? `${statusOf(reply)} ${wrongBody}` : statusOf(reply);
}

function statusOf({ status, headers }: AppReply): string {
  return typeof headers.location === 'string' ? `status ${status} to ${headers.location}` : `status ${status}`;
}

/**
 * Returns what Holdfast's proxy says about an answer that it made itself (RFC 9209). The proxy lets no backend use its
 * name. A backend may use a similar name, or quote it: that must not turn "unknown" into "certainly not applied".
 */
function readProxyStatus({ headers }: AppReply): 'not-sent' | 'unknown' | undefined {
  const lines = [headers['proxy-status'] ?? []].flat();
  const own = lines.flatMap(splitEntries).filter(([name]) => name === 'holdfast');
  if (own.length === 0) return undefined;
  return own.every(([, ...parameters]) => parameters.includes('outcome=not-sent')) ? 'not-sent' : 'unknown';
}

/** Splits a list of RFC 9651 into entries of a name and its parameters. It removes quoted texts. */
function splitEntries(line: string): string[][] {
  const unquoted = line.replaceAll(/"(?:[^"\\]|\\.)*(?:"|$)/g, '');
  return unquoted.split(',').map(entry => entry.split(';').map(part => part.trim()));
}

function isCertainlyNotApplied(kind: OperationKind, reply: AppReply, journey: Journey): boolean {
  if (!reply.handedOver) return true;
  const word = readProxyStatus(reply);
  if (word !== undefined) return word === 'not-sent';
  if (!reply.complete || reply.status === undefined) return false;
  // A request that was answered as anonymous has changed nothing, whatever its status.
  return journey.isAnonymous(kind, reply) || (reply.status >= 400 && reply.status < 500);
}
