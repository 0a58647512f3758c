/** The data of one user in the shop; plain JSON. All times are milliseconds since 1970 (wall clock). */
export interface Account {
  /** 0 if never saved; each save adds one. */
  readonly version: number;
  /** Rises with every event that must end a login in progress: a new password, a new second factor, the end of all
   * sessions, a disabled account. */
  readonly epoch: number;
  readonly disabled: boolean;
  /** The hash that `Passwords.hash` made. Null: the common default password. */
  readonly password: string | null;
  /** The sealed secret of the second factor, or null. */
  readonly totp: string | null;
  /** The sealed secret of a second factor that waits for its first code, or null. */
  readonly pendingTotp: string | null;
  /** The newest time step (RFC 6238) for which a code was accepted. */
  readonly lastStep: number;
  /** The order of the newest spent nonce (`nonce.ts`). */
  readonly nonceSpentUntilMs: number;
  /** Wrong passwords and codes, by counter: one for each known browser, one for all other clients (`tries.ts`). */
  readonly wrongTries: Readonly<Record<string, WrongTries>>;
}

/** Consecutive wrong tries of one counter. */
export interface WrongTries {
  readonly count: number;
  /** Time at which the next try is possible. */
  readonly waitUntilMs: number;
}

/** The account of a user that was never saved. Any name can log in here, so there is nothing else to know. */
export const freshAccount: Account = {
  version: 0,
  epoch: 0,
  disabled: false,
  password: null,
  totp: null,
  pendingTotp: null,
  lastStep: 0,
  nonceSpentUntilMs: 0,
  wrongTries: {},
};

/** Parses an account. Throws for other text: an unreadable account must not become one without a password. */
export function parseAccount(text: string): Account {
  const given = parseJson(text);
  const fields = new Map(typeof given === 'object' && given !== null ? Object.entries(given) : []);
  // Version 0.1 had other counters. They are dropped: a wait is lost, nothing else.
  if (!fields.has('wrongTries')) fields.set('wrongTries', {});
  const wrong = Object.entries(freshAccount).filter(([name, sample]) => !hasTypeOf(sample, fields.get(name)));
  if (wrong.length > 0) throw new Error(`the account has no usable ${wrong.map(([name]) => name).join(', ')}`);
  return { ...freshAccount, ...Object.fromEntries([...fields].filter(([name]) => Object.hasOwn(freshAccount, name))) };
}

/** Parses JSON. The parser's own message would show a part of the text, which may be secret. */
function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new Error('an account that is not JSON');
  }
}

function hasTypeOf(sample: unknown, value: unknown): boolean {
  if (sample === null) return value === null || typeof value === 'string';
  if (typeof sample === 'object') return isCounters(value);
  return typeof value === typeof sample && (typeof value !== 'number' || Number.isSafeInteger(value));
}

function isCounters(value: unknown): boolean {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  return Object.values(value).every(each => {
    const { count, waitUntilMs } = Object(each);
    return Number.isSafeInteger(count) && Number.isSafeInteger(waitUntilMs);
  });
}
