import { types } from 'node:util';
import { createContext, Script } from 'node:vm';
import { mayNeverEnd } from './pattern-ambiguity.js';

/** Longest page that is searched: a pattern takes time for each character. */
export const pageCharactersMax = 1_000_000;
const patternCharactersMax = 500;
const matchesMax = 100_000;
/** Time limit of one search: all users wait meanwhile. */
const searchMsMax = 1_000;

/** Matches a regular expression between slashes, with optional flags. */
const slashed = /^\/(?<source>.+)\/(?<flags>[imsu]*)$/s;

/** Returns source and flags of a pattern as written: `/regexp/i`, or `regexp` alone. */
function partsOf(written: string): { readonly source: string; readonly flags: string } {
  const { source = written, flags = '' } = slashed.exec(written)?.groups ?? {};
  return { source, flags };
}

/** Says what is wrong with a pattern that only has to match. It is written between slashes and needs no group. */
export function bodyPatternProblem(written: string): string | undefined {
  if (!slashed.test(written))
    return 'expected a regular expression between slashes such as /log in/i; its flags can be i, m, s and u';
  const found = groupsWithinLimits(written);
  if (typeof found === 'string') return found;
  const pattern = compilePattern(written);
  const matchesAll = ['', 'any text'].every(text => text.search(pattern) !== -1);
  return matchesAll
    ? 'it matches every body, and so proves nothing. Expected a text that only some bodies contain'
    : undefined;
}

/** Says what is wrong with a pattern of a scenario file; undefined when it can be used. `groups`: the most groups. */
export function patternProblem(written: string, groups: 1 | 2): string | undefined {
  const found = groupsWithinLimits(written);
  if (typeof found === 'string') return found;
  if (found >= 1 && found <= groups) return undefined;
  const wanted =
    groups === 1
      ? 'one group (...) around the value'
      : 'a group (...) around the item, and perhaps a second around its quantity';
  return `found ${found} groups, expected ${wanted}; a group (?:...) does not count`;
}

/** Returns the number of groups in a pattern, or what is wrong with it. */
function groupsWithinLimits(written: string): number | string {
  const { source, flags } = partsOf(written);
  if (source.length > patternCharactersMax) return `expected at most ${patternCharactersMax} characters`;
  const groups = groupsIn(written);
  if (typeof groups === 'string' || !mayNeverEnd(source, flags)) return groups;
  return 'a repeated part can match the same text in two ways, as in (a+)+ or (a|a)*: on some pages a search would never end. Expected only one way, for example [^"]+';
}

/** Compiles a pattern with the flag that finds all matches. */
export function compilePattern(written: string): RegExp {
  const { source, flags } = partsOf(written);
  return new RegExp(source, `g${flags}`);
}

/** Returns whether the page has a match; undefined when the page is too long or the search times out. */
export function matchesSomewhere(page: string, pattern: RegExp): boolean | undefined {
  return page.length > pageCharactersMax ? undefined : runInTime(() => page.search(pattern) !== -1);
}

/** Returns the groups of every match; undefined when the page is too long or the search times out. */
export function matchesIn(page: string, pattern: RegExp): string[][] | undefined {
  if (page.length > pageCharactersMax) return undefined;
  return runInTime(() => collectMatches(page, pattern));
}

function collectMatches(page: string, pattern: RegExp): string[][] | undefined {
  const found: string[][] = [];
  for (const [, ...groups] of page.matchAll(pattern)) {
    found.push(groups.map(group => decodeEntities(group ?? '')));
    if (found.length > matchesMax) return undefined;
  }
  return found;
}

const stage = createContext({ search: (): void => undefined });
const search = new Script('search()');

/** Runs a search with a time limit; undefined on time-out. Only the engine itself can stop a search that never ends. */
function runInTime<T>(work: () => T): T | undefined {
  let result: T | undefined;
  stage.search = () => {
    result = work();
  };
  try {
    search.runInContext(stage, { timeout: searchMsMax });
    return result;
  } catch (error) {
    // The error comes from another realm, so `instanceof Error` does not work.
    if (types.isNativeError(error) && 'code' in error && error.code === 'ERR_SCRIPT_EXECUTION_TIMEOUT')
      return undefined;
    throw error;
  }
}

/** Counts the groups of a pattern, or returns its syntax error. The empty alternative that is added here always
 * matches, and a match lists every group. */
function groupsIn(written: string): number | string {
  const { source, flags } = partsOf(written);
  try {
    return (new RegExp(`${source}|`, flags).exec('')?.length ?? 1) - 1;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

const entities: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" };

/** Decodes HTML entities: templates write `=` and `"` of a value as `&#x3D;` and `&quot;`. */
function decodeEntities(text: string): string {
  if (!text.includes('&')) return text;
  return text.replaceAll(/&(?:#x([0-9a-f]{1,6})|#(\d{1,7})|(amp|lt|gt|quot|apos));/gi, (whole, hex, decimal, name) => {
    if (name !== undefined) return entities[String(name).toLowerCase()] ?? whole;
    const code = hex === undefined ? Number(decimal) : Number.parseInt(hex, 16);
    return code <= 0x10_ff_ff ? String.fromCodePoint(code) : whole;
  });
}
