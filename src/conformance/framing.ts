/** An answer as it stands on the wire. */
export interface WireAnswer {
  readonly status: number;
  /** The status line and the header lines, as received. */
  readonly head: readonly string[];
  /** The body without the lines of the chunked coding. */
  readonly body: string;
  /** Whether the answer ended as its framing says: all bytes of its length, the last chunk, or the end of the
   * connection where it has neither. */
  readonly complete: boolean;
}

/**
 * Reads one answer from the bytes received so far. Returns undefined while the answer can still grow. `ended` says how
 * the connection ended: `fin` in order, `reset` by an error; undefined while it is open. Interim answers (1xx) are
 * skipped.
 */
export function readAnswer(bytes: Buffer, ended: 'fin' | 'reset' | undefined): WireAnswer | undefined {
  const end = bytes.indexOf('\r\n\r\n');
  if (end < 0) return undefined;
  const head = bytes.subarray(0, end).toString('latin1').split('\r\n');
  const status = Number(/^HTTP\/1\.[01] (\d{3})/.exec(head[0] ?? '')?.[1]);
  const rest = bytes.subarray(end + 4);
  if (status >= 100 && status < 200) return readAnswer(rest, ended);
  const { body, complete } = readBody(rest, head, status, ended);
  if (!complete && ended === undefined) return undefined;
  return { status: Number.isNaN(status) ? 0 : status, head, body: body.toString('latin1'), complete };
}

interface Body {
  readonly body: Buffer;
  readonly complete: boolean;
}

/** RFC 9112, section 6.3: the chunked coding overrides a length, and without both the end of the connection counts. */
function readBody(rest: Buffer, head: readonly string[], status: number, ended: 'fin' | 'reset' | undefined): Body {
  if (status === 204 || status === 304) return { body: Buffer.alloc(0), complete: true };
  if (/\bchunked\b/i.test(headerValues(head, 'transfer-encoding').join())) return readChunks(rest);
  const [length] = headerValues(head, 'content-length');
  if (length === undefined) return { body: rest, complete: ended === 'fin' };
  return { body: rest.subarray(0, Number(length)), complete: rest.length >= Number(length) };
}

function readChunks(rest: Buffer): Body {
  const chunks: Buffer[] = [];
  for (let at = 0; ; ) {
    const lineEnd = rest.indexOf('\r\n', at);
    if (lineEnd < 0) return { body: Buffer.concat(chunks), complete: false };
    const size = Number.parseInt(rest.subarray(at, lineEnd).toString('latin1'), 16);
    if (Number.isNaN(size)) return { body: Buffer.concat(chunks), complete: false };
    const start = lineEnd + 2;
    if (size === 0) return { body: Buffer.concat(chunks), complete: isTrailerComplete(rest.subarray(start)) };
    chunks.push(rest.subarray(start, start + size));
    at = start + size + 2;
    if (at > rest.length) return { body: Buffer.concat(chunks), complete: false };
  }
}

function isTrailerComplete(rest: Buffer): boolean {
  return rest.subarray(0, 2).toString('latin1') === '\r\n' || rest.includes('\r\n\r\n');
}

/** Returns the values of all header lines of this name, in lower case. */
export function headerValues(head: readonly string[], name: string): string[] {
  return head.slice(1).flatMap(line => {
    const colon = line.indexOf(':');
    return line.slice(0, colon).toLowerCase() === name ? [line.slice(colon + 1).trim()] : [];
  });
}
