import { whyOf } from '#src/sessions/errors.js';
import type { Reply } from '#src/sessions/request-session.js';

/** A refused request: an HTTP status, a sentence for the caller, and headers if the status needs one. */
export class Refusal extends Error {
  override readonly name: string = 'Refusal';
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;

  constructor(status: number, message: string, headers: Readonly<Record<string, string>> = {}) {
    super(message);
    this.status = status;
    this.headers = headers;
  }
}

export class NotUnderstood extends Refusal {
  override readonly name = 'NotUnderstood';

  constructor(message: string) {
    super(400, message);
  }
}

/** Wrong password or disabled account. Both have the same text, so that a client cannot distinguish them. */
export class WrongLogin extends Refusal {
  override readonly name = 'WrongLogin';

  constructor(message = 'wrong name or password') {
    super(401, message);
  }
}

export class WrongCode extends Refusal {
  override readonly name = 'WrongCode';

  constructor() {
    super(401, 'wrong code, or one that was used already: wait for the next one');
  }
}

/** The session came from another browser. The token was copied, or the user changed the browser. */
export class BrowserChanged extends Refusal {
  override readonly name = 'BrowserChanged';

  constructor() {
    super(401, 'this session was begun in another browser; give the password again at /account/reauthenticate');
  }
}

export class UnfitPassword extends Refusal {
  override readonly name = 'UnfitPassword';

  constructor(message: string) {
    super(400, message);
  }
}

export class FreshAuthenticationNeeded extends Refusal {
  override readonly name = 'FreshAuthenticationNeeded';

  constructor() {
    super(403, 'give the password again at /account/reauthenticate, and send the nonce that it answers with');
  }
}

export class NotAllowed extends Refusal {
  override readonly name = 'NotAllowed';

  constructor(message = 'only an administrator may do this') {
    super(403, message);
  }
}

export class CrossSite extends Refusal {
  override readonly name = 'CrossSite';

  constructor() {
    super(403, 'another site may not change anything here: send the request from a page of this shop');
  }
}

export class NotFound extends Refusal {
  override readonly name = 'NotFound';

  constructor(path: string, known: readonly string[]) {
    super(404, `nothing at ${path.slice(0, 100)}. Known: ${known.join(', ')}`);
  }
}

export class NoSuchSession extends Refusal {
  override readonly name = 'NoSuchSession';

  constructor() {
    super(404, 'you have no session with this handle');
  }
}

export class WrongMethod extends Refusal {
  override readonly name = 'WrongMethod';

  constructor(method: string, path: string, allowed: readonly string[]) {
    super(405, `${method} is not possible on ${path}; use ${allowed.join(' or ')}`, { allow: allowed.join(', ') });
  }
}

export class NothingToConfirm extends Refusal {
  override readonly name = 'NothingToConfirm';

  constructor() {
    super(
      409,
      'no key waits for its first code, or it is older than ten minutes: make a new one at POST /account/totp',
    );
  }
}

export class BodyTooLarge extends Refusal {
  override readonly name = 'BodyTooLarge';

  constructor(bytesMax: number) {
    super(413, `the request body has more than ${bytesMax} bytes`, { connection: 'close' });
  }
}

export class CartFull extends Refusal {
  override readonly name = 'CartFull';

  constructor(itemsMax: number) {
    super(413, `the cart holds ${itemsMax} different items; remove one before adding another`);
  }
}

export class NotJson extends Refusal {
  override readonly name = 'NotJson';

  constructor(got: string | undefined) {
    super(415, `expected Content-Type: application/json, got ${got ?? 'none'}`);
  }
}

export class NotMet extends Refusal {
  override readonly name = 'NotMet';

  constructor(expectation: string | undefined) {
    super(417, `the expectation "${expectation ?? ''}" cannot be met; 100-continue can`);
  }
}

export class TooManyTries extends Refusal {
  override readonly name = 'TooManyTries';

  constructor(seconds: number) {
    const wait = seconds <= 120 ? `${seconds} s` : `${Math.ceil(seconds / 60)} min`;
    super(429, `too many wrong tries; the next one is possible in ${wait}`, { 'retry-after': String(seconds) });
  }
}

export class TooManyAtOnce extends Refusal {
  override readonly name = 'TooManyAtOnce';

  constructor() {
    super(429, 'too many passwords of this user are being checked at once; try again', { 'retry-after': '1' });
  }
}

export class TooBusy extends Refusal {
  override readonly name = 'TooBusy';

  constructor() {
    super(503, 'too many passwords are being checked at once; try again', { 'retry-after': '1' });
  }
}

export class AccountsUnavailable extends Refusal {
  override readonly name = 'AccountsUnavailable';

  constructor() {
    super(503, 'the accounts cannot be read or changed at the moment; try again', { 'retry-after': '1' });
  }
}

/** The secret of the second factor cannot be opened: its key left the ring, or this backend has another ring. */
export class SecretUnreadable extends Refusal {
  override readonly name = 'SecretUnreadable';

  constructor() {
    super(503, 'the second factor of this account cannot be checked at the moment; try again later', {
      'retry-after': '1',
    });
  }
}

type Headers = NonNullable<Reply['headers']>;

/** Headers of every JSON answer. No answer may be stored: most show what is in a session, and the others change with
 * every request. */
const jsonHeaders: Headers = {
  'content-type': 'application/json',
  'cache-control': 'no-store',
  'x-content-type-options': 'nosniff',
};

export function json(status: number, value: object, headers: Headers = {}): Reply {
  return { status, headers: { ...jsonHeaders, ...headers }, body: `${JSON.stringify(value)}\n` };
}

/** Turns a refusal into an answer, as the sessions do: a sentence for people, and one word for programs. */
export function replyToRefusal(refusal: Refusal): Reply {
  return json(refusal.status, { error: refusal.message, why: whyOf(refusal) }, refusal.headers);
}
