import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Mode } from '#src/modes.js';
import type { SessionsOptions } from '#src/sessions/index.js';
import type { KeyRing } from '#src/shared/key-ring.js';
import type { Accounts } from '../accounts/accounts.js';
import type { SessionAction } from '../routes/route.js';

export type Listener = (request: IncomingMessage, response: ServerResponse) => void;

/**
 * A defect that is planted on purpose. The simulator and the attacks claim to find lost writes and stolen sessions.
 * They are tested against a shop that has these defects. Each changes one behaviour from outside. Without SHOP_DEFECT,
 * none of this code runs. Implementations: `../defects.ts`.
 */
export interface Defect {
  /** One line that is written to stderr when the shop starts with the defect. */
  readonly summary: string;
  /** Wraps the action of a route, by `METHOD path` of the route. */
  readonly routes?: Readonly<Record<string, (act: SessionAction) => SessionAction>>;
  /** Replaces options with which the shop opens its sessions. */
  readonly sessions?: Pick<SessionsOptions, 'revocation' | 'decorateStore'> & { readonly store?: Mode['store'] };
  /** Wraps the accounts. */
  readonly accounts?: (accounts: Accounts) => Accounts;
  /** Wraps the whole listener. It may change the headers of a request, change the answer, or answer itself. */
  readonly listener?: (next: Listener, keys: () => KeyRing) => Listener;
}
