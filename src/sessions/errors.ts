const retryAfterSeconds = 1;

/** Base class of the named errors of sessions. Each has the HTTP status of its response. */
export class SessionError extends Error {
  override readonly name: string = 'SessionError';
  readonly status: number;

  constructor(status: number, message: string, options?: ErrorOptions) {
    super(message, options);
    this.status = status;
  }

  /** Headers of the response. Express and Fastify send them with the status. */
  get headers(): Readonly<Record<string, string>> {
    return this.status === 503 ? { 'retry-after': String(retryAfterSeconds) } : {};
  }
}

/** The store is unreachable, or did not answer within its deadline. Becomes 503 with Retry-After. */
export class StoreUnavailable extends SessionError {
  override readonly name = 'StoreUnavailable';

  constructor(message: string, options?: ErrorOptions) {
    super(503, message, options);
  }
}

/** `create` was called with an id that is in use. With 32 random bytes, this means that the random source is broken. */
export class SessionExists extends SessionError {
  override readonly name = 'SessionExists';

  constructor() {
    super(500, 'a session with this id exists already');
  }
}

/** A change lost five times in a row against concurrent changes. */
export class SessionConflict extends SessionError {
  override readonly name = 'SessionConflict';

  constructor() {
    super(409, 'the session was changed at the same time; try again');
  }
}

/** The session ended while the request was handled. The write is dropped. The cookie stays, because the browser
 * may hold a newer one by now. */
export class SessionGone extends SessionError {
  override readonly name = 'SessionGone';

  constructor() {
    super(401, 'the session has ended');
  }
}

/** The session would exceed a size limit. `largest` names the largest part where it is known, so that the developer
 * knows what to shrink. */
export class SessionTooLarge extends SessionError {
  override readonly name = 'SessionTooLarge';

  constructor(
    bytes: number,
    bytesMax: number,
    largest?: { readonly name: string; readonly bytes: number },
    holder = 'the session',
  ) {
    const where = largest === undefined ? '' : `, and "${largest.name}" alone takes ${largest.bytes}`;
    super(413, `${holder} would hold ${bytes} bytes; at most ${bytesMax} are kept${where}`);
  }
}

/** Returns the `why` of a response, for programs: `SessionGone` becomes `session-gone`. The `error` field is the
 * sentence for people. */
export function whyOf({ name }: Error): string {
  return name.replace(/(?<=[a-z])(?=[A-Z])/g, '-').toLowerCase();
}
