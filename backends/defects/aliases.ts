import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Listener } from './defect.js';

const cookie = /(?<=(?:^|;\s*)session=)[^;]+/;

/**
 * Lets browsers know their sessions by other names than the shop does, as far as one process goes: `aliasOf` makes the
 * name from the token and from what the browser came with.
 */
export function aliased(next: Listener, aliasOf: (token: string, given: string | undefined) => string): Listener {
  const tokens = new Map<string, string>();
  return (request, response) => {
    const given = cookie.exec(request.headers.cookie ?? '')?.[0];
    unmask(request, tokens);
    mask(response, token => {
      const alias = aliasOf(token, given);
      tokens.set(alias, token);
      return alias;
    });
    next(request, response);
  };
}

function unmask({ headers }: IncomingMessage, tokens: ReadonlyMap<string, string>): void {
  if (headers.cookie !== undefined)
    headers.cookie = headers.cookie.replace(cookie, alias => tokens.get(alias) ?? alias);
}

/** The sessions append their cookie by this one call. */
function mask(response: ServerResponse, aliasOf: (token: string) => string): void {
  const append = response.appendHeader.bind(response);
  response.appendHeader = (name, value) =>
    append(name, name === 'set-cookie' && typeof value === 'string' ? value.replace(cookie, aliasOf) : value);
}
