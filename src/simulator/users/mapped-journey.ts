import type { OperationKind } from '../history/records.js';
import {
  type CarriedPlace,
  filled,
  filledInJson,
  type ItemsPlace,
  type JourneyMapping,
  type JsonPath,
  type MappedRequest,
  parseJsonPath,
  placeholdersIn,
  type StepKind,
  stepKinds,
  stepOf,
  type TextPlace,
  textsOf,
  valuesAt,
  type WhoPlace,
} from '../scenario/journey/mapping.js';
import { compilePattern, matchesIn } from '../scenario/journey/page-pattern.js';
import { bodyOf, makeAnonymousCheck, makeOkCheck, type ParsedBody } from './answer-check.js';
import {
  type AppReply,
  type Carried,
  cartOf,
  type Journey,
  type JourneyRequest,
  noCart,
  originPlaceholder,
} from './journey.js';

/** How the message begins when a value for a request is missing. */
export const nothingToCarry = 'no answer gave a';

/** Finds what a path or pattern matches. One entry per match: its groups, or its value. Undefined without a match. */
type Finder = (body: ParsedBody) => readonly unknown[] | undefined;

/**
 * Makes the journey that a mapping describes. The mapping was validated before (`scenario/journey/mapping.ts`).
 * `sessionCookie` is the name of the app's session cookie, if the scenario names it.
 */
export function mappedJourney(mapping: JourneyMapping, sessionCookie?: string): Journey {
  const finders = new Map(stepKinds.map(kind => [kind, makeUserFinder(mapping[kind]?.who)]));
  const findItems = makeItemsFinder(mapping.read.items);
  const carry = Object.entries(mapping.carry).map(([name, place]) => ({ name, place, find: makeValueFinder(place) }));
  const whoOf = (kind: OperationKind) => finders.get(stepNameOf(kind));
  const checks = new Map(stepKinds.map(kind => [kind, makeOkCheck(mapping[kind]?.ok)]));
  const checkOf = (kind: OperationKind) => checks.get(stepNameOf(kind)) ?? makeOkCheck();
  const isAnonymous = makeAnonymousCheck(mapping.anonymous);
  const isOk: Journey['isOk'] = (kind, reply) => checkOf(kind).hasHead(reply) && checkOf(kind).hasBody(reply);
  return {
    request: (kind, user, token, carried) => fillRequest(stepOf(mapping, kind)?.request, user, token, carried),
    before(kind, user, token, carried) {
      const before = stepOf(mapping, kind)?.before;
      return before && fillRequest(before, user, token, carried);
    },
    after(kind, user, carried) {
      const after = kind === 'login' ? mapping.login.after : undefined;
      return after && fillRequest(after, user, undefined, carried);
    },
    *carry(kind, reply, cookie) {
      if (!reply.complete) return;
      for (const { name, place, find } of carry) {
        if (place.from !== undefined && place.from !== kind) continue;
        const value = place.cookie === undefined ? find(reply) : decodeUri(cookie(place.cookie));
        if (value !== undefined) yield [name, value];
      }
    },
    ...(sessionCookie === undefined ? {} : { sessionCookies: [sessionCookie] }),
    isOk,
    hasWrongBody: (kind, reply) => checkOf(kind).hasHead(reply) && !checkOf(kind).hasBody(reply),
    isAnonymous: (kind, reply) => isAnonymous(reply) && !(kind === 'logout' && isOk(kind, reply)),
    parse: bodyOf,
    naming: new Set(stepKinds.filter(kind => finders.get(kind) !== undefined)),
    identity: (kind, answer) => (isBody(answer) ? whoOf(kind)?.(answer) : undefined),
    items: answer => (isBody(answer) ? findItems(answer) : noCart),
  };
}

/** Returns the step of an operation. A replay is judged as a read. */
function stepNameOf(kind: OperationKind): StepKind {
  return kind === 'replay' ? 'read' : kind;
}

function fillRequest(
  request: MappedRequest | undefined,
  user: string,
  token: string | undefined,
  carried: Carried,
): JourneyRequest | string {
  if (request === undefined) return 'the journey has no such step';
  // Without a token the text is empty, so that a caller can fill a request only to learn its path.
  // The client fills in {origin}, because only it knows to which address it sends.
  const values = new Map([...carried, ['user', user], ['token', token ?? ''], ['origin', originPlaceholder]]);
  const missing = textsOf(request)
    .flatMap(placeholdersIn)
    .find(name => !values.has(name));
  if (missing !== undefined) return `${nothingToCarry} {${missing}} to carry`;
  const query = request.query === undefined ? '' : `?${encodeForm(request.query, values)}`;
  const { body, type } = bodyToSend(request, values);
  return {
    method: request.method,
    path: filled(request.path, values, encodeURIComponent) + query,
    headers: headersToSend(request, type, values),
    ...(body === undefined ? {} : { body }),
  };
}

function bodyToSend({ form, json, headers }: MappedRequest, values: ReadonlyMap<string, string>) {
  if (form !== undefined && isMultipart(headers)) return { body: encodeMultipart(form, values), type: multipartType };
  if (form !== undefined) return { body: encodeForm(form, values), type: 'application/x-www-form-urlencoded' };
  return json === undefined ? {} : { body: JSON.stringify(fillJson(json, values)), type: 'application/json' };
}

function encodeForm(fields: Readonly<Record<string, string>>, values: ReadonlyMap<string, string>): string {
  const entries = Object.entries(fields).map(([name, text]): [string, string] => [name, filled(text, values)]);
  return new URLSearchParams(entries).toString();
}

const boundary = '----holdfast-form-7c1e94b06d2f';
const multipartType = `multipart/form-data; boundary=${boundary}`;

/** Whether the header `content-type` asks for a form with parts, as a browser sends it with `enctype`. */
function isMultipart(headers: MappedRequest['headers'] = {}): boolean {
  return Object.entries(headers).some(
    ([name, value]) => /^content-type$/i.test(name) && value === 'multipart/form-data',
  );
}

function encodeMultipart(fields: Readonly<Record<string, string>>, values: ReadonlyMap<string, string>): string {
  const quoted = (name: string) => name.replaceAll('"', '%22').replaceAll(/[\r\n]+/g, ' ');
  const part = ([name, text]: readonly [string, string]) =>
    `--${boundary}\r\nContent-Disposition: form-data; name="${quoted(name)}"\r\n\r\n${filled(text, values)}\r\n`;
  return `${Object.entries(fields).map(part).join('')}--${boundary}--\r\n`;
}

function fillJson(value: unknown, values: ReadonlyMap<string, string>): unknown {
  if (typeof value === 'string') return filledInJson(value, values);
  if (Array.isArray(value)) return value.map(each => fillJson(each, values));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, fillJson(each, values)]));
}

function headersToSend(
  { headers = {} }: MappedRequest,
  type: string | undefined,
  values: ReadonlyMap<string, string>,
): string[] {
  // A value from a page must not be able to start another header.
  const clean = (value: string) => value.replaceAll(/[^\t\x20-\x7e\x80-\xff]/g, '');
  const named = Object.entries(headers).map(([name, text]) => [name.toLowerCase(), filled(text, values, clean)]);
  // The header only asks for a form with parts. The one that is sent names the boundary, too.
  const own = named.filter(([name]) => type !== multipartType || name !== 'content-type').flat();
  return type === undefined || own.includes('content-type') ? own : ['content-type', type, ...own];
}

function isBody(answer: unknown): answer is ParsedBody {
  return typeof answer === 'object' && answer !== null && 'text' in answer && 'json' in answer;
}

function makeFinder({ path, regexp }: TextPlace): Finder {
  if (regexp !== undefined) {
    const pattern = compilePattern(regexp);
    return ({ text }) => matchesIn(text, pattern);
  }
  const steps = pathOf(path);
  return ({ json }) => valuesAt(json, steps);
}

function pathOf(text: string | undefined): JsonPath {
  return parseJsonPath(text ?? '$') ?? [];
}

/** Makes a function that reads the user's name: null when JSON says null, and undefined when there is no name. */
function makeUserFinder(place: WhoPlace | undefined): ((body: ParsedBody) => string | null | undefined) | undefined {
  if (place === undefined) return undefined;
  const find = makeFinder(place);
  const [before = '', after = ''] = (place.as ?? '{user}').split('{user}');
  return body => {
    const found = [find(body)?.[0]].flat()[0];
    if (found === null) return null;
    const name = textOf(found);
    if (name === undefined || name === '') return undefined;
    const fits = name.length > before.length + after.length && name.startsWith(before) && name.endsWith(after);
    return fits ? name.slice(before.length, name.length - after.length) : name;
  };
}

function makeValueFinder(place: CarriedPlace): (reply: AppReply) => string | undefined {
  const { header, regexp, cookie } = place;
  if (cookie !== undefined) return () => undefined;
  if (header === undefined) {
    const find = makeFinder(place);
    return reply => {
      const [value] = [find(bodyOf(reply))?.[0]].flat();
      return typeof value === 'boolean' ? String(value) : textOf(value);
    };
  }
  const pattern = regexp === undefined ? undefined : compilePattern(regexp);
  return ({ headers }) => {
    const values = [headers[header] ?? []].flat();
    return pattern === undefined ? values[0] : values.flatMap(value => matchesIn(value, pattern) ?? [])[0]?.[0];
  };
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' || typeof value === 'number' ? String(value) : undefined;
}

function decodeUri(value: string | undefined): string | undefined {
  try {
    return value === undefined ? undefined : decodeURIComponent(value);
  } catch {
    return value;
  }
}

type FindItems = (body: ParsedBody) => readonly string[] | string;

function makeItemsFinder(place: ItemsPlace): FindItems {
  const find = makeFinder(place);
  if (place.regexp !== undefined) return body => readCart(find(body)?.map(groups => [groups].flat()));
  const quantities = place.quantity === undefined ? undefined : makeFinder({ path: place.quantity });
  if (!place.path?.includes('*')) return body => readMapOrList(find(body)?.[0]);
  return body => {
    const items = find(body);
    const counts = quantities?.(body);
    if (quantities !== undefined && counts?.length !== items?.length) return noCart;
    return readCart(items?.map((item, index) => [item, counts?.[index] ?? 1]));
  };
}

/** Reads the cart from a path without `[*]`, which leads to the whole cart: `{ "apple": 2 }`, or `["apple"]`. */
function readMapOrList(value: unknown): readonly string[] | string {
  if (Array.isArray(value)) return readCart(value.map(item => [item]));
  return typeof value === 'object' && value !== null ? readCart(Object.entries(value)) : noCart;
}

/** Builds the cart. An item without a quantity counts once. If a quantity was expected and is empty, it is no cart. */
function readCart(lines: readonly (readonly unknown[])[] | undefined): readonly string[] | string {
  const counted = lines?.map(([item, quantity = 1]) => [textOf(item), quantity === '' ? undefined : Number(quantity)]);
  return counted === undefined ? noCart : cartOf(counted);
}
