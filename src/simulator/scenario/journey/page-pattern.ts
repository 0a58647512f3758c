import { types } from 'node:util';
import { createContext, Script } from 'node:vm';
import { type AST, RegExpParser } from '@eslint-community/regexpp';

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

/**
 * Returns whether the time of a search can double with each character of the page, as with `(a+)+b` or `(a|a)*b`. The
 * characters of the pattern are the states of an automaton (Glushkov). The time doubles where two ways lead from a
 * state back to it over the same text (Weber and Seidl 1991: exponential degree of ambiguity).
 *
 * It errs on the side of true: it ignores what follows a loop. Back references and lookarounds count as empty, and ten
 * repetitions count as endless. The pattern must compile.
 */
export function mayNeverEnd(source: string, flags: string): boolean {
  const automaton = new Automaton(source, flags);
  automaton.read(parser.parsePattern(source, 0, source.length, flags.includes('u')));
  return automaton.hasTooManyStates || hasTwoWays(automaton);
}

const parser = new RegExpParser({ ecmaVersion: 2024 });
const endlessMin = 10;
/** Most states. A pattern of 500 characters has fewer, unless it nests small repetition counts. */
const statesMax = 500;
/** Most comparisons of two states: about a tenth of a second. A pattern that needs more is refused. */
const comparisonsMax = 1_000_000;
/** Samples for all characters that the pattern does not name. */
const commonSamples = [...Array.from({ length: 128 }, (_, code) => String.fromCharCode(code)), ...'éß×中\u00a0\u2028'];

/** Part of an automaton, with the states at which a matched text can begin and end. */
interface Piece {
  readonly isEmptyAllowed: boolean;
  readonly first: readonly number[];
  readonly last: readonly number[];
}

const empty: Piece = { isEmptyAllowed: true, first: [], last: [] };

class Automaton {
  /** The samples that each state can read: one bit for each sample. */
  readonly reads: bigint[] = [];
  /** The states that can follow each state, once for each way to them. */
  readonly next: number[][] = [];
  readonly #flags: string;
  readonly #samples: readonly string[];

  constructor(source: string, flags: string) {
    this.#samples = [...new Set([...commonSamples, ...source])];
    this.#flags = flags.replace('g', '');
  }

  get hasTooManyStates(): boolean {
    return this.reads.length >= statesMax;
  }

  read(node: AST.Element | AST.Pattern): Piece {
    switch (node.type) {
      case 'Pattern':
      case 'Group':
      case 'CapturingGroup':
        return joinAlternatives(node.alternatives.map(({ elements }) => this.#sequence(elements)));
      case 'Quantifier':
        return this.#repeat(node);
      case 'Assertion':
      case 'Backreference':
        return empty;
      default:
        return this.#state(node.raw);
    }
  }

  #state(raw: string): Piece {
    if (this.hasTooManyStates) return empty;
    const pattern = new RegExp(`^(?:${raw})$`, this.#flags);
    const state = this.reads.length;
    this.reads.push(
      this.#samples.reduce((bits, text, i) => (pattern.test(text) ? bits | (1n << BigInt(i)) : bits), 0n),
    );
    this.next.push([]);
    return { isEmptyAllowed: false, first: [state], last: [state] };
  }

  #sequence(elements: readonly AST.Element[]): Piece {
    return elements.reduce((before, element) => this.#follow(before, this.read(element)), empty);
  }

  #follow(before: Piece, after: Piece): Piece {
    this.#connect(before, after);
    return {
      isEmptyAllowed: before.isEmptyAllowed && after.isEmptyAllowed,
      first: before.isEmptyAllowed ? [...before.first, ...after.first] : before.first,
      last: after.isEmptyAllowed ? [...after.last, ...before.last] : after.last,
    };
  }

  #connect({ last }: Piece, { first }: Piece): void {
    for (const state of last) this.next[state]?.push(...first);
  }

  #repeat({ element, min, max }: AST.Quantifier): Piece {
    if (max >= endlessMin) {
      const piece = this.read(element);
      this.#connect(piece, piece);
      // An empty repetition ends an endless loop. A counted loop counts it and goes on, so there is one more way.
      if (piece.isEmptyAllowed && Number.isFinite(max)) this.#connect(piece, piece);
      return { ...piece, isEmptyAllowed: min === 0 || piece.isEmptyAllowed };
    }
    let all = empty;
    for (let i = 0; i < max; i += 1) {
      const piece = this.read(element);
      all = this.#follow(all, i < min ? piece : { ...piece, isEmptyAllowed: true });
    }
    return all;
  }
}

function joinAlternatives(pieces: readonly Piece[]): Piece {
  return {
    isEmptyAllowed: pieces.some(({ isEmptyAllowed }) => isEmptyAllowed),
    first: pieces.flatMap(({ first }) => first),
    last: pieces.flatMap(({ last }) => last),
  };
}

/** Finds a loop of state pairs that read the same text, with equal and different states, or with one way twice. */
function hasTwoWays({ reads, next }: Automaton): boolean {
  const width = reads.length;
  const canReadTheSame = (a: number, b: number) => ((reads[a] ?? 0n) & (reads[b] ?? 0n)) !== 0n;
  let comparisons = 0;
  const after = (pair: number): number[] => {
    const [ones, others] = [next[Math.floor(pair / width)] ?? [], next[pair % width] ?? []];
    comparisons += ones.length * others.length;
    if (comparisons > comparisonsMax) return [];
    return ones.flatMap(a => others.filter(b => canReadTheSame(a, b)).map(b => a * width + b));
  };
  const isEqual = (pair: number) => Math.floor(pair / width) === pair % width;
  const loops = loopsFrom(
    reads.map((_, state) => state * width + state),
    after,
  );
  if (comparisons > comparisonsMax) return true;
  return loops.some(loop => {
    const states = loop.filter(isEqual).map(pair => pair % width);
    return states.length > 0 && (states.length < loop.length || hasDouble(states, next));
  });
}

function hasDouble(states: readonly number[], next: readonly (readonly number[])[]): boolean {
  const loop = new Set(states);
  return states.some(state => {
    const ways = (next[state] ?? []).filter(to => loop.has(to));
    return new Set(ways).size < ways.length;
  });
}

/** Returns the sets of nodes that reach each other (Tarjan 1972), without nodes that cannot reach themselves. */
function loopsFrom(starts: readonly number[], after: (node: number) => readonly number[]): number[][] {
  const loops: number[][] = [];
  const order = new Map<number, number>();
  const lowest = new Map<number, number>();
  const open: number[] = [];
  const isOpen = new Set<number>();
  const lower = (node: number, value = 0) => lowest.set(node, Math.min(lowest.get(node) ?? value, value));
  for (const start of starts) {
    const path = order.has(start) ? [] : [enter(start)];
    for (let step = path.at(-1); step !== undefined; step = path.at(-1)) {
      const to = step.ways.pop();
      if (to === undefined) {
        path.pop();
        const under = path.at(-1);
        if (under !== undefined) lower(under.node, lowest.get(step.node));
        if (lowest.get(step.node) === order.get(step.node)) close(step.node);
      } else if (!order.has(to)) path.push(enter(to));
      else if (isOpen.has(to)) lower(step.node, order.get(to));
    }
  }
  return loops;

  function enter(node: number) {
    order.set(node, order.size);
    lowest.set(node, order.size - 1);
    open.push(node);
    isOpen.add(node);
    return { node, ways: [...after(node)] };
  }

  function close(node: number): void {
    const loop = open.splice(open.lastIndexOf(node));
    for (const one of loop) isOpen.delete(one);
    if (loop.length > 1 || after(node).includes(node)) loops.push(loop);
  }
}
