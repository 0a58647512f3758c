/** One request and its answer as evidence in a report. It holds no request body and no complete secret. */
export interface AttackExchange {
  /** Request line and headers, one string each. */
  readonly request: readonly string[];
  /** Status line and headers, one string each. */
  readonly response: readonly string[];
  /** The beginning of the answer's body. */
  readonly body: string;
}

const bodyCharsMax = 200;
const secretCharsShown = 10;

/** Builds the evidence of one exchange. `headers` are pairs in the order in which they were sent. */
export function buildExchange(
  request: { readonly line: string; readonly headers: readonly (readonly [string, string])[] },
  response: { readonly line: string; readonly headers: readonly (readonly [string, string])[] },
  body: string,
): AttackExchange {
  return {
    request: [request.line, ...request.headers.map(describeHeader)],
    response: [response.line, ...response.headers.map(describeHeader)],
    body: body.length > bodyCharsMax ? `${body.slice(0, bodyCharsMax)}…` : body.trim(),
  };
}

function describeHeader([name, value]: readonly [string, string]): string {
  return `${name}: ${/^(set-)?cookie$/i.test(name) ? shortenCookies(value) : value}`;
}

/** Shortens each cookie value to its first characters and its length: enough to tell two values apart. */
export function shortenCookies(header: string): string {
  return header.replace(/=([^;\s]+)/g, (whole, value: string) =>
    value.length <= secretCharsShown * 2 ? whole : `=${value.slice(0, secretCharsShown)}…(${value.length} characters)`,
  );
}
