import { escapeForPattern } from '../../shared/text.js';
import { compilePattern, matchesIn, patternProblem } from '../../simulator/scenario/journey/page-pattern.js';

/** A page, and a text in it that a pattern must find. */
export interface Sample {
  readonly text: string;
  readonly wanted: string;
}

/** The best pattern for one region of a page. `around`: the page there, for a person. */
export interface FoundPattern {
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
export function occurrencesOf(text: string, wanted: string): [number, number][] {
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
