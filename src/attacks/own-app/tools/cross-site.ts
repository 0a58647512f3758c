import type { MappedRequest } from '../../../simulator/scenario/journey/mapping.js';
import type { JourneyRequest } from '../../../simulator/users/journey.js';
import type { SetCookie } from '../../tools/browser.js';

/** Requests that a page of another site can make a browser send. Pure. */

/** Lists origins of such a page: of another site, of a page without an origin, such as a sandboxed frame, and of sites
 * with names that begin or end like the app's. An app that compares only a part of the text accepts those. */
export function listPageOrigins(appOrigin: string): readonly string[] {
  const { protocol, host } = new URL(appOrigin);
  return ['https://evil.example', 'null', `${protocol}//${host}.evil.example`, `${protocol}//evil${host}`];
}

/** Returns the Cookie header of a form that another site sends. Undefined when the browser sends no cookie. */
export function buildCrossSiteCookies(
  set: readonly SetCookie[],
  held: ReadonlyMap<string, string>,
): string | undefined {
  return buildCookieHeader(set, held, ['lax', 'strict']);
}

/** Returns the Cookie header of a link that another site shows: the browser also sends cookies with SameSite=Lax. */
export function buildNavigationCookies(
  set: readonly SetCookie[],
  held: ReadonlyMap<string, string>,
): string | undefined {
  return buildCookieHeader(set, held, ['strict']);
}

/** Leaves out the cookies whose SameSite is one of `keptBack`. */
function buildCookieHeader(set: readonly SetCookie[], held: ReadonlyMap<string, string>, keptBack: readonly string[]) {
  const pairs = [...held].filter(([name]) => {
    const last = set.findLast(cookie => cookie.name === name);
    return !keptBack.includes(last?.attributes.get('samesite')?.toLowerCase() ?? '');
  });
  return pairs.length === 0 ? undefined : pairs.map(([name, value]) => `${name}=${value}`).join('; ');
}

export interface FormRequest {
  /** The Content-Type. A form of another site can send it without a preflight. */
  readonly type: string;
  build(request: JourneyRequest): JourneyRequest;
}

const boundary = 'holdfast-form';

/** Lists the ways in which a form can send this request, the likeliest first. A form knows POST only. */
export function listFormRequests({ method, json }: MappedRequest): readonly FormRequest[] {
  const overridden: [string, string][] = method === 'POST' ? [] : [['_method', method]];
  const fields = (request: JourneyRequest): [string, string][] => [...overridden, ...fieldsOf(request)];
  const post = (request: JourneyRequest, body: string): JourneyRequest => ({
    method: 'POST',
    path: request.path,
    body,
  });
  const encoded: FormRequest = {
    type: 'application/x-www-form-urlencoded',
    build: request => post(request, new URLSearchParams(fields(request)).toString()),
  };
  const text: FormRequest = { type: 'text/plain', build: request => post(request, request.body ?? '') };
  const parts: FormRequest = {
    type: `multipart/form-data; boundary=${boundary}`,
    build: request => post(request, buildMultipart(fields(request))),
  };
  return json === undefined ? [encoded, text, parts] : [text, encoded, parts];
}

function buildMultipart(fields: readonly (readonly [string, string])[]): string {
  const parts = fields.map(
    ([name, value]) => `--${boundary}\r\nContent-Disposition: form-data; name="${name}"\r\n\r\n${value}\r\n`,
  );
  return `${parts.join('')}--${boundary}--\r\n`;
}

/** Returns the fields of a body: those of a form, or of a JSON object. */
export function fieldsOf({ body = '' }: JourneyRequest): [string, string][] {
  const json = parseJson(body);
  if (typeof json !== 'object' || json === null) return [...new URLSearchParams(body)];
  // A part that is a map stays JSON. GraphQL takes its variables in this form.
  return Object.entries(json).map(([name, value]) => [name, typeof value === 'string' ? value : JSON.stringify(value)]);
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
