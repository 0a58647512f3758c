/** What the shop keeps of one user; plain JSON. All times are milliseconds since the epoch (wall clock). */
export interface Account {
  /** 0: never saved; one more with every save. */
  readonly version: number;
  /** One more with whatever a login that is under way must not outlive: a changed password, a second factor that is now
   * needed, an end of all sessions, a disabled account. */
  readonly epoch: number;
  readonly disabled: boolean;
  /** As `Passwords.hash` made it; null: the password that everybody has by default. */
  readonly password: string | null;
  /** Sealed; null: no second factor. */
  readonly totp: string | null;
  /** A second factor that waits for its first code; sealed. */
  readonly pendingTotp: string | null;
  /** The newest time step (RFC 6238) of which a code was accepted. */
  readonly lastStep: number;
  /** How long the newest nonce that was spent would have been good. */
  readonly nonceSpentUntilMs: number;
  /** Wrong passwords and codes in a row, from browsers that have given the right one before. */
  readonly tries: number;
  readonly lockedUntilMs: number;
  /** The same from all others. */
  readonly strangerTries: number;
  readonly strangersLockedUntilMs: number;
}

/** Of whoever was never saved: anybody can log in here under any name, and that is all there is to know. */
export const freshAccount: Account = {
  version: 0,
  epoch: 0,
  disabled: false,
  password: null,
  totp: null,
  pendingTotp: null,
  lastStep: 0,
  nonceSpentUntilMs: 0,
  tries: 0,
  lockedUntilMs: 0,
  strangerTries: 0,
  strangersLockedUntilMs: 0,
};

/** Throws for text that is no account: an account that cannot be read must not become one without a password. */
export function parseAccount(text: string): Account {
  const given = parsed(text);
  const fields = new Map(typeof given === 'object' && given !== null ? Object.entries(given) : []);
  const wrong = Object.entries(freshAccount).filter(([name, sample]) => !isAs(sample, fields.get(name)));
  if (wrong.length > 0) throw new Error(`an account without a usable ${wrong.map(([name]) => name).join(', ')}`);
  return { ...freshAccount, ...Object.fromEntries(fields) };
}

/** The parser's own message would show a piece of what it could not read. */
function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new Error('an account that is not JSON');
  }
}

function isAs(sample: unknown, value: unknown): boolean {
  if (sample === null) return value === null || typeof value === 'string';
  return typeof value === typeof sample && (typeof value !== 'number' || Number.isSafeInteger(value));
}
