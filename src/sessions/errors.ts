/** The named errors of sessions, each with the HTTP status it becomes. */
export class SessionError extends Error {
  readonly status: number;

  constructor(status: number, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = new.target.name;
    this.status = status;
  }
}

/** The store cannot be reached, or did not answer within its deadline: 503 with Retry-After. */
export class StoreUnavailable extends SessionError {
  constructor(message: string, options?: ErrorOptions) {
    super(503, message, options);
  }
}

/** `create` met an id that is taken. With 32 random bytes this means a broken random source. */
export class SessionExists extends SessionError {
  constructor() {
    super(500, 'a session with this id exists already');
  }
}

/** Five concurrent changes won in a row. */
export class SessionConflict extends SessionError {
  constructor() {
    super(409, 'the session was changed at the same time; try again');
  }
}

/** The session ended while the request was being handled: the write is dropped and the cookie cleared. */
export class SessionGone extends SessionError {
  constructor() {
    super(401, 'the session has ended');
  }
}

/** `largest` is named where it is known: whoever must make room has to know where it went. */
export class SessionTooLarge extends SessionError {
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

/** The `why` of an answer, for programs: a `SessionGone` is `session-gone`. Its `error` is the sentence for people. */
export function wordFor({ name }: Error): string {
  return name.replace(/(?<=[a-z])(?=[A-Z])/g, '-').toLowerCase();
}
