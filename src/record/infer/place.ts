import { escapeForPattern } from '../../shared/text.js';
import {
  type CarriedPlace,
  parseJsonPath,
  type TextPlace,
  valuesAt,
  type WhoPlace,
} from '../../simulator/scenario/journey/mapping.js';
import { compilePattern, matchesIn, patternProblem } from '../../simulator/scenario/journey/page-pattern.js';
import { answerLeaves, jsonOf, type RecordedCall, tellingHeaders } from './call.js';

/** Finds where answers hold a text: a path in JSON, or else a pattern. */

/** An answer of each pass, and the text in it that differs from pass to pass. */
export interface Shown {
  readonly answer: RecordedCall;
  readonly value: string;
}

/** Returns whether an answer shows this text as a whole word. */
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

/** Returns whether a pattern finds at most one value on each page. */
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

/** A page, and a text in it that a pattern must find. */
interface Sample {
  readonly text: string;
  readonly wanted: string;
}

/** The best pattern for one region of a page. `around`: the page there, for a person. */
interface FoundPattern {
  readonly regexp: string;
  readonly around: string;
}

const beforeMax = 160;
const afterMax = 60;
const cutsMax = 10;
const occurrencesMax = 40;
const triesMax = 2_000;
/** Tags that hold a list. A pattern that begins before one finds only the first row. */
const container = /<\/?(?:ul|ol|dl|table|thead|tbody|body|main|section|nav|header)\b/i;
const block = /<(\/?)(?:div|p|li|tr|ul|ol|dl|dd|table|section|main|nav|header|article|aside|h[1-6])\b/gi;

/**
 * Builds patterns from the text around the wanted one: the shortest that `accepts` allows, for each region of the page.
 * `variable`: texts that differ from page to page. `isInRow`: the pattern must find each row of a list.
 */
export function buildPatterns(
  sample: Sample,
  options: {
    readonly variable: readonly string[];
    readonly isInRow: boolean;
    readonly accepts: (regexp: string) => boolean;
  },
): FoundPattern[] {
  const { text } = sample;
  const places = occurrencesOf(text, sample.wanted).slice(0, occurrencesMax);
  const regions: [number, number][][] = [];
  for (const place of places) {
    const before = options.isInRow ? regions.at(-1)?.at(-1) : regions[0]?.[0];
    const between = before === undefined ? '' : text.slice(before[1], place[0]);
    if (before === undefined || (options.isInRow && isOtherRegion(between))) regions.push([place]);
    else regions.at(-1)?.push(place);
  }
  return regions.flatMap(region => {
    const candidates = [...new Set(region.flatMap(place => candidatesAt(text, place, options)))];
    const regexp = candidates
      .sort((a, b) => costOf(a) - costOf(b) || (a < b ? -1 : 1))
      .slice(0, triesMax)
      .find(each => patternProblem(each, 1) === undefined && options.accepts(each));
    const [[start, end] = [0, 0]] = region;
    const around = text.slice(Math.max(0, start - 40), end + 30).replaceAll(/\s+/g, ' ');
    return regexp === undefined ? [] : [{ regexp, around }];
  });
}

/** Returns what the first group of a pattern finds first. Such a search is much shorter on a long page. */
export function findFirst(text: string, regexp: string): string | undefined {
  const [whole] = compilePattern(regexp).exec(text) ?? [];
  return whole === undefined ? undefined : findAll(whole, regexp)[0];
}

/** Whether a text leads out of the row of a list: it closes a block that began before it, or a list or map of JSON. */
function isOtherRegion(between: string): boolean {
  let depth = 0;
  for (const [, slash] of between.matchAll(block)) {
    depth += slash === '' ? 1 : -1;
    if (depth < 0) return true;
  }
  return container.test(between) || (!between.includes('<') && /[\]}]/.test(between));
}

/** Returns what the first group of a pattern finds, in order. */
export function findAll(text: string, regexp: string): string[] {
  return (matchesIn(text, compilePattern(regexp)) ?? []).map(([found = '']) => found);
}

/** Returns where a text stands as a whole word, also with its characters written as HTML entities. */
function occurrencesOf(text: string, wanted: string): [number, number][] {
  const [longest = ''] = (wanted.match(/[\w-]+/g) ?? []).sort((a, b) => b.length - a.length);
  if (wanted === '' || !text.includes(longest)) return [];
  if (longest === wanted) return plainOccurrences(text, wanted);
  const source = [...wanted].map(character => encodedForms(character)).join('');
  return [...text.matchAll(new RegExp(`(?<![\\w.-])${source}(?![\\w-])`, 'g'))].map(({ index, 0: found }) => [
    index,
    index + found.length,
  ]);
}

/** Does the same for a text without special characters, much faster. */
function plainOccurrences(text: string, wanted: string): [number, number][] {
  const found: [number, number][] = [];
  for (let at = text.indexOf(wanted); at !== -1; at = text.indexOf(wanted, at + 1)) {
    const end = at + wanted.length;
    const isWord = /[\w.-]/.test(text[at - 1] ?? ' ') || /[\w-]/.test(text[end] ?? ' ');
    if (!isWord) found.push([at, end]);
  }
  return found;
}

const entityNames: Readonly<Record<string, string>> = { '&': 'amp', '<': 'lt', '>': 'gt', '"': 'quot', "'": 'apos' };

function encodedForms(character: string): string {
  if (/[\w-]/.test(character)) return character;
  const code = character.codePointAt(0) ?? 0;
  const named = entityNames[character] === undefined ? '' : `|&${entityNames[character]};`;
  return `(?:${escapeForPattern(character)}|&#0*${code};|&#[xX]0*${code.toString(16)};${named})`;
}

/** Builds patterns with more and more of the text before and after a place. */
function candidatesAt(
  text: string,
  [start, end]: readonly [number, number],
  { variable, isInRow }: { readonly variable: readonly string[]; readonly isInRow: boolean },
): string[] {
  const before = text.slice(Math.max(0, start - beforeMax), start);
  const after = text.slice(end, end + afterMax);
  if (after.startsWith('@')) return [];
  // The text after a row is that of the next row, or that after the list.
  const tails = cutsAfter(after).filter(cut => !isInRow || (!container.test(cut) && cut.split('</').length <= 2));
  const befores = cutsBefore(before, start <= beforeMax).filter(cut => !isInRow || !container.test(cut));
  return befores.flatMap(head =>
    tails.map(tail => generalise(head, variable) + groupBefore(after) + generalise(tail, variable)),
  );
}

/** Returns the ends of the text before a place that begin with a tag, an attribute, a word or a line. */
function cutsBefore(before: string, isWhole: boolean): string[] {
  const cuts = [...before.matchAll(/[<"'{[,;&>(]|(?<=\s)\S/g)].filter(
    ({ 0: found, index }) => found === '<' || isCut(before, index),
  );
  const ends = cuts.map(({ index }) => before.slice(index));
  return (isWhole ? [before, ...ends] : ends).filter(cut => /[A-Za-z]/.test(cut)).slice(-cutsMax);
}

/** Within a tag, a pattern begins at an attribute. Outside it can begin at any mark. */
function isCut(before: string, at: number): boolean {
  const isInTag = before.lastIndexOf('<', at) > before.lastIndexOf('>', at - 1);
  return !isInTag || /^[a-z][\w:-]*=/i.test(before.slice(at));
}

function cutsAfter(after: string): string[] {
  const first = after.slice(0, after.startsWith('&') ? Math.max(1, after.indexOf(';') + 1) : 1);
  const longer = [...after.matchAll(/[>"']/g)]
    .map(({ index }) => after.slice(0, index + 1))
    .filter(cut => cut.length > first.length);
  return [first, ...longer.slice(0, 3)];
}

/** Returns the group around the value: it ends before the character that follows. */
function groupBefore(after: string): string {
  const [next = ''] = after;
  if (next === '"' || next === "'" || next === '&') return `([^${next}<>]+)`;
  return next === '<' ? '([^<>]+)' : `([^\\s<>"']+)`;
}

/** Escapes a text for a pattern. Spaces, numbers and values that differ from page to page stand for others like them. */
function generalise(text: string, variable: readonly string[]): string {
  const own = variable.filter(each => each.length > 2).map(escapeForPattern);
  const pieces = new RegExp(`(${[...own, '[\\w+/=-]{20,}'].join('|')})|(\\s+)|((?<!<\\/?h)\\d+)`, 'g');
  let source = '';
  let last = 0;
  for (const { 0: found, 1: value, 2: space, index } of text.matchAll(pieces)) {
    if (value !== undefined && !own.includes(escapeForPattern(value)) && !/\d/.test(value)) continue;
    source += escapeForPattern(text.slice(last, index));
    source += value === undefined ? (space === undefined ? '\\d+' : space === ' ' ? ' ' : '\\s+') : `[^\\s<>"']+`;
    last = index + found.length;
  }
  return source + escapeForPattern(text.slice(last));
}

/** Attributes that many tags have: such a name alone does not tell one value from others. */
const commonAttribute = /^(value|content|href|src|action|id|class|name|title|type|style|alt)=["'][^"']*$/;

/** Prefers short patterns that begin with a whole tag, without wildcards, and with more than a common attribute. */
function costOf(regexp: string): number {
  const [head = '', tail = ''] = regexp.split(/\(\[[^\]]*\]\+\)/);
  const tags = head.split('<').length - 1;
  const wild = regexp.split(/\\d\+|\\s\+|\[\^\\s/).length - 1;
  const isCommon = commonAttribute.test(head) && !/^[^>]*[a-z]/i.test(tail);
  return regexp.length + 30 * Math.max(0, tags - 1) + 10 * wild + (isCommon ? 60 : 0) - (head.startsWith('<') ? 15 : 0);
}
