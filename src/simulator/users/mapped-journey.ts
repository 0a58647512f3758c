import type { OperationKind } from '../history/records.js';
import { type JsonPath, parseJsonPath, valuesAt } from '../scenario/journey/json-path.js';
import {
  type CarriedPlace,
  filled,
  type ItemsPlace,
  type JourneyMapping,
  type MappedRequest,
  placeholdersIn,
  type StepKind,
  stepKinds,
  stepOf,
  type TextPlace,
  textsOf,
  type WhoPlace,
} from '../scenario/journey/mapping.js';
import { compilePattern, matchesIn } from '../scenario/journey/page-pattern.js';
import { bodyOf, makeAnonymousCheck, makeOkCheck, type ParsedBody } from './answer-check.js';
import { type Carried, cartOf, type Journey, type JourneyRequest, noCart } from './journey.js';

/** How it is said that a request cannot be filled in yet. */
export const nothingToCarry = 'no answer gave a';

/** Finds what a place leads to: one entry per find, its groups or its value; undefined when it leads to nothing. */
type Finder = (body: ParsedBody) => readonly unknown[] | undefined;

/**
 * Makes the journey that a mapping describes; the mapping is known to be right (`scenario/journey.ts`). `sessionCookie`:
 * the name of the cookie in which the app keeps its session, where the scenario names it.
 */
export function mappedJourney(mapping: JourneyMapping, sessionCookie?: string): Journey {
  const finders = new Map(stepKinds.map(kind => [kind, whoFinder(mapping[kind]?.who)]));
  const findItems = itemsFinder(mapping.read.items);
  const carry = Object.entries(mapping.carry).map(([name, place]) => ({ name, place, find: valueFinder(place) }));
  const whoOf = (kind: OperationKind) => finders.get(stepNameOf(kind));
  const checks = new Map(stepKinds.map(kind => [kind, makeOkCheck(mapping[kind]?.ok)]));
  const checkOf = (kind: OperationKind) => checks.get(stepNameOf(kind)) ?? makeOkCheck();
  const isAnonymous = makeAnonymousCheck(mapping.anonymous);
  const isOk: Journey['isOk'] = (kind, reply) => checkOf(kind).hasHead(reply) && checkOf(kind).hasBody(reply);
  return {
    request: (kind, user, token, carried) => filledRequest(stepOf(mapping, kind)?.request, user, token, carried),
    before(kind, user, token, carried) {
      const before = stepOf(mapping, kind)?.before;
      return before && filledRequest(before, user, token, carried);
    },
    *carry(kind, reply, cookie) {
      if (!reply.complete) return;
      const body = bodyOf(reply);
      for (const { name, place, find } of carry) {
        if (place.from !== undefined && place.from !== kind) continue;
        const value = place.cookie === undefined ? find(body) : uriDecoded(cookie(place.cookie));
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

/** A replay is judged as a read. */
function stepNameOf(kind: OperationKind): StepKind {
  return kind === 'replay' ? 'read' : kind;
}

function filledRequest(
  request: MappedRequest | undefined,
  user: string,
  token: string | undefined,
  carried: Carried,
): JourneyRequest | string {
  if (request === undefined) return 'the journey has no such step';
  // What names no item now, a request that is only asked for its path, is filled all the same.
  const values = new Map([...carried, ['user', user], ['token', token ?? '']]);
  const missing = textsOf(request)
    .flatMap(placeholdersIn)
    .find(name => !values.has(name));
  if (missing !== undefined) return `${nothingToCarry} {${missing}} to carry`;
  const query = request.query === undefined ? '' : `?${encodedForm(request.query, values)}`;
  const { body, type } = bodyToSend(request, values);
  return {
    method: request.method,
    path: filled(request.path, values, encodeURIComponent) + query,
    headers: headersToSend(request, type, values),
    ...(body === undefined ? {} : { body }),
  };
}

function bodyToSend({ form, json }: MappedRequest, values: ReadonlyMap<string, string>) {
  if (form !== undefined) return { body: encodedForm(form, values), type: 'application/x-www-form-urlencoded' };
  return json === undefined ? {} : { body: JSON.stringify(filledJson(json, values)), type: 'application/json' };
}

function encodedForm(fields: Readonly<Record<string, string>>, values: ReadonlyMap<string, string>): string {
  const entries = Object.entries(fields).map(([name, text]): [string, string] => [name, filled(text, values)]);
  return new URLSearchParams(entries).toString();
}

function filledJson(value: unknown, values: ReadonlyMap<string, string>): unknown {
  if (typeof value === 'string') return filled(value, values);
  if (Array.isArray(value)) return value.map(each => filledJson(each, values));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, filledJson(each, values)]));
}

function headersToSend(
  { headers = {} }: MappedRequest,
  type: string | undefined,
  values: ReadonlyMap<string, string>,
): string[] {
  // What a page gave must not begin a header of its own.
  const clean = (value: string) => value.replaceAll(/[^\t\x20-\x7e\x80-\xff]/g, '');
  const own = Object.entries(headers).flatMap(([name, text]) => [name.toLowerCase(), filled(text, values, clean)]);
  return type === undefined || own.includes('content-type') ? own : ['content-type', type, ...own];
}

function isBody(answer: unknown): answer is ParsedBody {
  return typeof answer === 'object' && answer !== null && 'text' in answer && 'json' in answer;
}

function finder({ path, regexp }: TextPlace): Finder {
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

/** A name, null where JSON says that there is none, undefined where nothing is said. */
function whoFinder(place: WhoPlace | undefined): ((body: ParsedBody) => string | null | undefined) | undefined {
  if (place === undefined) return undefined;
  const find = finder(place);
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

function valueFinder(place: CarriedPlace): (body: ParsedBody) => string | undefined {
  if (place.cookie !== undefined) return () => undefined;
  const find = finder(place);
  return body => textOf([find(body)?.[0]].flat()[0]);
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' || typeof value === 'number' ? String(value) : undefined;
}

function uriDecoded(value: string | undefined): string | undefined {
  try {
    return value === undefined ? undefined : decodeURIComponent(value);
  } catch {
    return value;
  }
}

type FindItems = (body: ParsedBody) => readonly string[] | string;

function itemsFinder(place: ItemsPlace): FindItems {
  const find = finder(place);
  if (place.regexp !== undefined) return body => cart(find(body)?.map(groups => [groups].flat()));
  const quantities = place.quantity === undefined ? undefined : finder({ path: place.quantity });
  if (!place.path?.includes('*')) return body => mapOrList(find(body)?.[0]);
  return body => {
    const items = find(body);
    const counts = quantities?.(body);
    if (quantities !== undefined && counts?.length !== items?.length) return noCart;
    return cart(items?.map((item, index) => [item, counts?.[index] ?? 1]));
  };
}

/** A path without `[*]` leads to the whole cart: `{ "apple": 2 }`, or `["apple"]`. */
function mapOrList(value: unknown): readonly string[] | string {
  if (Array.isArray(value)) return cart(value.map(item => [item]));
  return typeof value === 'object' && value !== null ? cart(Object.entries(value)) : noCart;
}

/** An item without a quantity is there once; one whose quantity was looked for and is none makes it no cart. */
function cart(lines: readonly (readonly unknown[])[] | undefined): readonly string[] | string {
  const counted = lines?.map(([item, quantity = 1]) => [textOf(item), quantity === '' ? undefined : Number(quantity)]);
  return counted === undefined ? noCart : cartOf(counted);
}
