import { escapeForPattern } from '../../shared/text.js';
import { parseJsonPath, valuesAt } from '../../simulator/scenario/journey/json-path.js';
import type { CarriedPlace, TextPlace, WhoPlace } from '../../simulator/scenario/journey/mapping.js';
import { answerLeaves, jsonOf, type RecordedCall, tellingHeaders } from './call.js';
import { buildPatterns, findAll, findFirst, occurrencesOf } from './pattern.js';

/** Finds where answers hold a text: a path in JSON, or else a pattern. */

/** An answer of each pass, and the text in it that differs from pass to pass. */
export interface Shown {
  readonly answer: RecordedCall;
  readonly value: string;
}

/** Whether an answer shows this text as a whole word. */
export function shows({ reply: { body } }: RecordedCall, text: string): boolean {
  return occurrencesOf(body, text).length > 0;
}

/** Returns one place that leads to the value in every answer. `variable` and `alike` as in `findPattern`. */
export function findPlace(
  shown: readonly Shown[],
  variable: readonly string[],
  alike: readonly RecordedCall[],
): TextPlace | undefined {
  return findPath(shown) ?? findPattern(shown, variable, alike);
}

export function findPath(shown: readonly Shown[]): { readonly path: string } | undefined {
  const [path] = commonPaths(shown).sort(
    (a, b) => indexesIn(a) - indexesIn(b) || a.length - b.length || (a < b ? -1 : 1),
  );
  return path === undefined ? undefined : { path };
}

function commonPaths([first, ...others]: readonly Shown[]): string[] {
  if (first === undefined) return [];
  const paths = answerLeaves(first.answer)
    .filter(({ value }) => String(value) === first.value)
    .map(({ path }) => path);
  return paths.filter(path => others.every(({ answer, value }) => String(valueAt(answer, path)) === value));
}

/** Returns the first value at a path of an answer. */
export function valueAt(answer: RecordedCall, path: string): unknown {
  return valuesAt(jsonOf(answer), parseJsonPath(path) ?? [])?.[0];
}

type HeaderPlace = Pick<CarriedPlace, 'header' | 'regexp'>;

/** Finds a header that holds the value in every answer: alone, or behind the same word, as in `/carts/17`. */
export function findInHeaders(shown: readonly Shown[]): HeaderPlace | undefined {
  const [first] = shown;
  if (first === undefined) return undefined;
  const places = tellingHeaders(first.answer).flatMap(([header, text]): HeaderPlace[] => [
    { header },
    ...patternsIn(header, text, first.value).map(regexp => ({ header, regexp })),
  ]);
  return places.find(place => shown.every(({ answer, value }) => valueInHeaders(answer, place) === value));
}

/** Returns the value at a place in the headers of an answer. */
export function valueInHeaders(answer: RecordedCall, { header = '', regexp }: HeaderPlace): string | undefined {
  const text = new Map(tellingHeaders(answer)).get(header);
  return text === undefined || regexp === undefined ? text : findFirst(text, regexp);
}

function patternsIn(header: string, text: string, value: string): string[] {
  const at = text.indexOf(value);
  if (at === -1) return [];
  const end = header === 'location' ? '[^/?#&]' : '[^\\s;,"]';
  const [word = ''] = /[\w.-]*[^\w.-]+$/.exec(text.slice(0, at)) ?? [];
  // The address of the app can stand before a path, so a slash alone finds another place.
  const start = word === '/' ? '^(?:https?://[^/]+)?/' : escapeForPattern(word);
  return word === '' ? [] : [`${start}(${end}+)`];
}

function indexesIn(path: string): number {
  return path.split(/\[\d/).length;
}

/**
 * Returns a pattern that finds the value first in every answer. It prefers one that finds nothing else there, nor on the
 * pages `alike`: on a longer page, another value could come first. `variable`: texts that were typed, so never fixed.
 */
function findPattern(
  shown: readonly Shown[],
  variable: readonly string[],
  alike: readonly RecordedCall[] = [],
): { readonly regexp: string } | undefined {
  const [first] = shown;
  if (first === undefined) return undefined;
  const isFirst = (regexp: string) =>
    shown.every(({ answer, value }) => findFirst(answer.reply.body, regexp) === value);
  const pages = [...shown.map(({ answer }) => answer), ...alike];
  const own = [...variable, ...shown.map(({ value }) => value)];
  const sample = { text: first.answer.reply.body, wanted: first.value };
  const build = (accepts: (regexp: string) => boolean) =>
    buildPatterns(sample, { variable: own, isInRow: false, accepts })[0];
  const found = build(regexp => isFirst(regexp) && isUnambiguous(regexp, pages)) ?? build(isFirst);
  return found && { regexp: found.regexp };
}

/** Whether a pattern finds at most one value on each page. */
export function isUnambiguous(regexp: string, pages: readonly RecordedCall[]): boolean {
  return pages.every(({ reply: { body } }) => new Set(findAll(body, regexp)).size <= 1);
}

/** Returns the first and the last few answers with different bodies: more of one kind say nothing new. */
export function withoutRepeats(answers: readonly RecordedCall[]): RecordedCall[] {
  const bodies = new Set<string>();
  const unlike = answers.filter(({ reply: { body } }) => !bodies.has(body) && bodies.add(body));
  return unlike.filter((_, i) => i < 4 || i >= unlike.length - 4);
}

/** Finds the name of the user in answers of one kind. An app may write more than the name: `hf-user-1@example.com`. */
export function findWho(shown: readonly Shown[], variable: readonly string[]): WhoPlace | undefined {
  const plain = findPath(shown);
  if (plain !== undefined) return plain;
  const longer = shown.map(({ answer, value }) => ({ answer, value: longNameIn(answer, value), user: value }));
  const forms = new Set(longer.map(({ value, user }) => value?.replace(user, '{user}')));
  const [as] = forms;
  const written = longer.flatMap(({ answer, value }) => (value === undefined ? [] : [{ answer, value }]));
  const path = as === undefined || forms.size > 1 ? undefined : findPath(written);
  if (path !== undefined && as !== undefined) return { ...path, as };
  const pattern = findPattern(shown, variable);
  if (pattern !== undefined || as === undefined || forms.size > 1) return pattern;
  const found = findPattern(written, variable);
  return found && { ...found, as };
}

/** Returns the text that the app makes of a name: a value of JSON that contains it, or an e-mail address of a page. */
function longNameIn(answer: RecordedCall, user: string): string | undefined {
  const leaves = answerLeaves(answer);
  const [leaf] = leaves.filter(
    ({ value }) => typeof value === 'string' && value.includes(user) && /^[^{}]{1,100}$/.test(value),
  );
  if (leaf !== undefined) return String(leaf.value);
  return new RegExp(`(?<![\\w.-])${escapeForPattern(user)}@[\\w-]+(?:\\.[\\w-]+)*`).exec(answer.reply.body)?.[0];
}
