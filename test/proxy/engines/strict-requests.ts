/** A request as every correct backend must read it. */
export interface SeenRequest {
  readonly method: string;
  readonly target: string;
  readonly version: string;
  readonly fields: readonly (readonly [name: string, value: string])[];
  readonly framing: 'none' | 'length' | 'chunked';
  readonly body: string;
  readonly trailers: readonly (readonly [name: string, value: string])[];
}

const token = "[!#$%&'*+\\-.^_`|~\\dA-Za-z]+";
const lines = `((?:${token}:[\\t\\x20-\\x7e\\x80-\\xff]*\\r\\n)*)`;
const head = new RegExp(`^(${token}) ([\\x21-\\x7e\\x80-\\xff]+) HTTP/(1\\.[01])\\r\\n${lines}\\r\\n$`);
const chunk = /([\da-fA-F]{1,13})(?:;[\t\x20-\x7e\x80-\xff]*)?\r\n/y;
const trailer = new RegExp(`${lines}\\r\\n`, 'y');
const notInTrailers = /^(?:host|content-length|transfer-encoding|connection|trailer|te|upgrade|cookie|authorization)$/;
const chunkLineBytesMax = 32_768;

type Fields = SeenRequest['fields'];
type Step = { readonly request: SeenRequest; readonly end: number } | 'incomplete';

/**
 * Reads the bytes of one connection at least as strictly as RFC 9112 allows. Bytes that two parsers could read
 * differently are a `problem`. Text is latin1.
 */
export class StrictRequests {
  problem: string | undefined;
  #rest = '';

  /** The bytes of an incomplete request. */
  get partial(): string {
    return this.#rest;
  }

  /** Returns the requests that became complete. */
  feed(bytes: string): SeenRequest[] {
    const whole: SeenRequest[] = [];
    this.#rest += bytes;
    while (this.problem === undefined && this.#rest !== '') {
      const step = this.#next();
      if (step === 'incomplete') break;
      whole.push(step.request);
      this.#rest = this.#rest.slice(step.end);
    }
    return whole;
  }

  #next(): Step {
    try {
      return nextRequest(this.#rest);
    } catch (error) {
      this.problem = `${error instanceof Error ? error.message : error}: ${JSON.stringify(this.#rest.slice(0, 500))}`;
      return 'incomplete';
    }
  }
}

function nextRequest(bytes: string): Step {
  const end = bytes.indexOf('\r\n\r\n') + 4;
  if (end === 3) return 'incomplete';
  const [, method = '', target = '', version = '', given = ''] = head.exec(bytes.slice(0, end)) ?? fail('no head');
  const fields = fieldsOf(given);
  if (valuesOf(fields, 'host').length !== 1) fail('not one Host');
  const [length, ...lengths] = valuesOf(fields, 'content-length');
  const [coding, ...codings] = valuesOf(fields, 'transfer-encoding');
  if (lengths.length > 0 || codings.length > 0 || (length !== undefined && coding !== undefined)) fail('two framings');
  const start = { method, target, version, fields };
  if (coding !== undefined) {
    if (coding !== 'chunked' || version !== '1.1') fail('a coding that is not chunked');
    return chunked(bytes, end, start);
  }
  if (length === undefined) return { end, request: { ...start, framing: 'none', body: '', trailers: [] } };
  if (!/^\d{1,15}$/.test(length)) fail('a length that is none');
  const bodyEnd = end + Number(length);
  if (bytes.length < bodyEnd) return 'incomplete';
  return { end: bodyEnd, request: { ...start, framing: 'length', body: bytes.slice(end, bodyEnd), trailers: [] } };
}

function chunked(
  bytes: string,
  from: number,
  start: Pick<SeenRequest, 'method' | 'target' | 'version' | 'fields'>,
): Step {
  let at = from;
  let body = '';
  for (;;) {
    const size = matchAt(chunk, bytes, at);
    if (size === undefined) return pending(bytes, at);
    at += size[0].length;
    const length = Number.parseInt(size[1] ?? '', 16);
    if (length === 0) break;
    if (bytes.length < at + length + 2) return 'incomplete';
    body += bytes.slice(at, at + length);
    at += length + 2;
    if (bytes.slice(at - 2, at) !== '\r\n') fail('a chunk without an end');
  }
  const last = matchAt(trailer, bytes, at);
  if (last === undefined) return pending(bytes, at);
  const trailers = fieldsOf(last[1] ?? '');
  if (trailers.some(([name]) => notInTrailers.test(name.toLowerCase()))) fail('a trailer that frames or routes');
  return { end: at + last[0].length, request: { ...start, framing: 'chunked', body, trailers } };
}

/** Tells a line that is incomplete from one that can never become valid. */
function pending(bytes: string, at: number): 'incomplete' {
  const rest = bytes.slice(at);
  const isOpen = !/[\r\n]/.test(rest.replaceAll('\r\n', '').replace(/\r$/, '')) && !rest.includes('\r\n\r\n');
  if (isOpen && rest.length < chunkLineBytesMax) return 'incomplete';
  return fail('a malformed chunk or trailer');
}

function matchAt(shape: RegExp, bytes: string, at: number): RegExpExecArray | undefined {
  shape.lastIndex = at;
  return shape.exec(bytes) ?? undefined;
}

function fieldsOf(given: string): Fields {
  const each = given.split('\r\n').slice(0, -1);
  return each.map(line => {
    const colon = line.indexOf(':');
    return [line.slice(0, colon), line.slice(colon + 1).replace(/^[\t ]+|[\t ]+$/g, '')] as const;
  });
}

export function valuesOf(fields: Fields, name: string): string[] {
  return fields.filter(([each]) => each.toLowerCase() === name).map(([, value]) => value);
}

function fail(what: string): never {
  throw new SyntaxError(what);
}
