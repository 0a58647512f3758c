import type { IncomingMessage, ServerResponse } from 'node:http';
import type { OpenOptions } from '#src/sessions/start-sessions.js';
import type { KeyRing } from '#src/shared/key-ring.js';
import type { Accounts } from '../accounts/accounts.js';
import type { VisitAction } from '../routes/route.js';

export type Listener = (request: IncomingMessage, response: ServerResponse) => void;

/**
 * A fault planted on purpose: whoever claims to find lost writes, or sessions that can be stolen, is tested against a
 * shop that has them. Each spoils one thing from outside; without SHOP_DEFECT none of this runs.
 * Implementations: `registry.ts`.
 */
export interface Defect {
  /** One line, written to stderr when the shop starts with it. */
  readonly summary: string;
  /** Wraps what a visitor's route does: `METHOD path` of the route. */
  readonly routes?: Readonly<Record<string, (act: VisitAction) => VisitAction>>;
  /** Other choices than the shop's own when sessions are opened. */
  readonly sessions?: Partial<Pick<OpenOptions, 'store' | 'revocation' | 'decorateStore'>>;
  /** Stands between the shop and its accounts. */
  readonly accounts?: (accounts: Accounts) => Accounts;
  /** Stands before everything: may rewrite the headers of a request and its answer before it leaves, or answer itself. */
  readonly listener?: (next: Listener, keys: () => KeyRing) => Listener;
}
