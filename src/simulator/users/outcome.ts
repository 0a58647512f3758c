import type { OperationKind, OperationOutcome } from '../history/records.js';
import type { Reply } from './http-client.js';
import type { Journey } from './shop-requests.js';

/** What an operation came to, as far as the reply tells. */
export interface Judgement {
  readonly outcome: OperationOutcome;
  readonly identity?: string | null;
  readonly items?: readonly string[];
  readonly error?: string;
}

const writes: ReadonlySet<OperationKind> = new Set(['login', 'add', 'remove', 'logout']);

/**
 * Pure. `ok`: the whole answer came and is the one that the journey expects. `fail`: certainly not applied. `unknown`:
 * everything else. Whoever reads has nothing to apply, so a read that is not ok is `fail`.
 */
export function judge(kind: OperationKind, reply: Reply, journey: Journey): Judgement {
  const answer = reply.complete ? journey.parse(reply) : undefined;
  const identity = identityOf(kind, reply, answer, journey);
  const said = identity === undefined ? {} : { identity };
  const wrong = problemOf(kind, reply, identity, journey);
  const cart = kind === 'read' && wrong === undefined ? journey.items(answer) : undefined;
  const problem = typeof cart === 'string' ? cart : wrong;
  if (problem === undefined) return { outcome: 'ok', ...said, ...(typeof cart === 'object' && { items: cart }) };
  const outcome = writes.has(kind) && !certainlyNotApplied(kind, reply, journey) ? 'unknown' : 'fail';
  return { outcome, ...said, error: problem };
}

function identityOf(kind: OperationKind, reply: Reply, answer: unknown, journey: Journey): string | null | undefined {
  if (!reply.complete || proxyWord(reply) !== undefined) return undefined;
  if (journey.isAnonymous(kind, reply)) return null;
  // "Now you are nobody" says nothing about who somebody was when the logout arrived.
  return kind === 'logout' ? undefined : journey.identity(kind, answer);
}

/** Why it is not ok, undefined when it is. */
function problemOf(
  kind: OperationKind,
  reply: Reply,
  identity: string | null | undefined,
  journey: Journey,
): string | undefined {
  if (!reply.complete) return reply.error;
  if (kind === 'replay') return identity === null ? undefined : `${statusOf(reply)} after the logout`;
  if (!journey.isOk(kind, reply)) return statusOf(reply);
  if (typeof identity === 'string' || (identity === undefined && !journey.naming.has(kind))) return undefined;
  return kind === 'logout' || identity === undefined ? 'the answer names no user' : 'answered as anonymous';
}

function statusOf({ status, headers }: Reply): string {
  return typeof headers.location === 'string' ? `status ${status} to ${headers.location}` : `status ${status}`;
}

/**
 * The word of Holdfast's proxy about its own answer (RFC 9209). It lets nobody else speak under its name; what a backend
 * says under a similar one, or in a quoted text, must not turn "unknown" into "certainly not applied".
 */
function proxyWord({ headers }: Reply): 'not-sent' | 'unknown' | undefined {
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

function certainlyNotApplied(kind: OperationKind, reply: Reply, journey: Journey): boolean {
  if (!reply.handedOver) return true;
  const word = proxyWord(reply);
  if (word !== undefined) return word === 'not-sent';
  if (!reply.complete || reply.status === undefined) return false;
  // Who is sent to log in has changed nothing, whatever the status.
  return journey.isAnonymous(kind, reply) || (reply.status >= 400 && reply.status < 500);
}
