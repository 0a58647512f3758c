import { types } from 'node:util';
import { createContext, Script } from 'node:vm';

/** Longer pages are not searched: a pattern takes time for each character. */
export const pageCharactersMax = 1_000_000;
export const patternCharactersMax = 500;
const matchesMax = 100_000;
/** All users wait while one page is searched. */
export const searchMsMax = 1_000;

/** What is wrong with a pattern of a scenario file; undefined when it can be used. `groups`: how many it may have. */
export function patternProblem(source: string, groups: 1 | 2): string | undefined {
  if (source.length > patternCharactersMax) return `expected at most ${patternCharactersMax} characters`;
  if (repeatsRepetition(source)) {
    return 'a repeated group holds a repetition, as in (a+)+: on some pages it would never come to an end. Expected it without, for example [^"]+';
  }
  const found = groupsIn(source);
  if (typeof found === 'string') return found;
  if (found >= 1 && found <= groups) return undefined;
  const wanted =
    groups === 1
      ? 'one group (...) around what is wanted'
      : 'a group (...) around the item, and perhaps a second around its quantity';
  return `found ${found} groups, expected ${wanted}; (?:...) groups without counting`;
}

export function compilePattern(source: string): RegExp {
  return new RegExp(source, 'g');
}

/** The groups of every match; undefined when the page is too long to be searched, or the search too long for it. */
export function matchesIn(page: string, pattern: RegExp): string[][] | undefined {
  if (page.length > pageCharactersMax) return undefined;
  return inTime(() => allMatches(page, pattern));
}

function allMatches(page: string, pattern: RegExp): string[][] | undefined {
  const found: string[][] = [];
  for (const [, ...groups] of page.matchAll(pattern)) {
    found.push(groups.map(group => decodeEntities(group ?? '')));
    if (found.length > matchesMax) return undefined;
  }
  return found;
}

const stage = createContext({ search: (): void => undefined });
const search = new Script('search()');

/** Nothing but the engine itself can stop a pattern that has met a page on which it finds no end. */
function inTime<T>(work: () => T): T | undefined {
  let result: T | undefined;
  stage.search = () => {
    result = work();
  };
  try {
    search.runInContext(stage, { timeout: searchMsMax });
    return result;
  } catch (error) {
    // Of another realm, and so no `instanceof Error` here.
    if (types.isNativeError(error) && 'code' in error && error.code === 'ERR_SCRIPT_EXECUTION_TIMEOUT')
      return undefined;
    throw error;
  }
}

/** An empty alternative matches always, and then tells how many groups there are. */
function groupsIn(source: string): number | string {
  try {
    return (new RegExp(`${source}|`).exec('')?.length ?? 1) - 1;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

/**
 * Whether something that repeats without end holds something that does: the usual way to a pattern whose time grows
 * exponentially, said before the run. There are others, which the limit of a search ends.
 */
function repeatsRepetition(source: string): boolean {
  const open: boolean[] = [];
  const plain = source.replaceAll(/\\./g, 'x').replaceAll(/\[\^?\]?[^\]]*\]/g, 'x');
  for (const [token, closing] of plain.matchAll(/\((?:\?(?:[:=!]|<[=!]|<\w+>))?|(\)?)(?:[*+]|\{\d+,\})|\)/g)) {
    if (token.startsWith('(')) open.push(false);
    else if (token === ')') raise(open, open.pop() ?? false);
    else if (closing === ')') {
      if (open.pop()) return true;
      raise(open, true);
    } else raise(open, true);
  }
  return false;
}

/** What a group holds, the group around it holds too. */
function raise(open: boolean[], repeats: boolean): void {
  if (repeats && open.length > 0) open[open.length - 1] = true;
}

const entities: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" };

/** Templates write `=` and `"` of a value as `&#x3D;` and `&quot;`. */
function decodeEntities(text: string): string {
  if (!text.includes('&')) return text;
  return text.replaceAll(/&(?:#x([0-9a-f]{1,6})|#(\d{1,7})|(amp|lt|gt|quot|apos));/gi, (whole, hex, decimal, name) => {
    if (name !== undefined) return entities[String(name).toLowerCase()] ?? whole;
    const code = hex === undefined ? Number(decimal) : Number.parseInt(hex, 16);
    return code <= 0x10_ff_ff ? String.fromCodePoint(code) : whole;
  });
}
