/** Errors for too few file descriptors, ports or buffers, or too little memory. */
const shortageCodes: ReadonlySet<unknown> = new Set(['EMFILE', 'ENFILE', 'ENOBUFS', 'ENOMEM', 'EADDRNOTAVAIL']);
/** Errors for a connection that this machine forbids: by its firewall or its security module. */
const forbiddenCodes: ReadonlySet<unknown> = new Set(['EACCES', 'EPERM']);

/** Whether this machine had no means to connect. The error then says nothing about the other machine. */
export function isShortage(error: unknown): boolean {
  return hasCodeOf(shortageCodes, error);
}

/** Whether this machine could not or may not connect. The error then says nothing about the other machine. */
export function isOwnFailure(error: unknown): boolean {
  return isShortage(error) || hasCodeOf(forbiddenCodes, error);
}

/**
 * A name with several addresses fails with the errors of all of them. Without IPv6, `localhost` fails with
 * `EADDRNOTAVAIL` for `::1` and with `ECONNREFUSED` for `127.0.0.1`: that is a refusal.
 */
function hasCodeOf(codes: ReadonlySet<unknown>, error: unknown): boolean {
  if (error instanceof AggregateError && error.errors.length > 0)
    return error.errors.every(each => hasCodeOf(codes, each));
  return error instanceof Error && 'code' in error && codes.has(error.code);
}
