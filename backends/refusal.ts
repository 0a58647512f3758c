/** What a request is refused with: an HTTP status, a sentence for the caller, and headers where the status asks for one. */
export class Refusal extends Error {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;

  constructor(status: number, message: string, headers: Readonly<Record<string, string>> = {}) {
    super(message);
    this.name = new.target.name;
    this.status = status;
    this.headers = headers;
  }
}

export class NotUnderstood extends Refusal {
  constructor(message: string) {
    super(400, message);
  }
}

/** The same words for an unknown name and for a wrong password: which of the two it was is nobody's business. */
export class WrongLogin extends Refusal {
  constructor() {
    super(401, 'wrong name or password');
  }
}

export class CrossSite extends Refusal {
  constructor() {
    super(403, 'another site may not change anything here: send the request from a page of this shop');
  }
}

export class NotFound extends Refusal {
  constructor(path: string, known: readonly string[]) {
    super(404, `nothing at ${path.slice(0, 100)}. Known: ${known.join(', ')}`);
  }
}

export class WrongMethod extends Refusal {
  constructor(method: string, path: string, allowed: readonly string[]) {
    super(405, `${method} is not possible on ${path}; use ${allowed.join(' or ')}`, { allow: allowed.join(', ') });
  }
}

export class BodyTooLarge extends Refusal {
  constructor(bytesMax: number) {
    super(413, `the request body has more than ${bytesMax} bytes`, { connection: 'close' });
  }
}

export class CartFull extends Refusal {
  constructor(itemsMax: number) {
    super(413, `the cart holds ${itemsMax} different items; remove one before adding another`);
  }
}

export class NotJson extends Refusal {
  constructor(got: string | undefined) {
    super(415, `expected Content-Type: application/json, got ${got ?? 'none'}`);
  }
}

export class NotMet extends Refusal {
  constructor(expectation: string | undefined) {
    super(417, `the expectation "${expectation ?? ''}" cannot be met; 100-continue can`);
  }
}
