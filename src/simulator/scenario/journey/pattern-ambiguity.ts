import { type AST, RegExpParser } from '@eslint-community/regexpp';

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
/** Maximum number of states. A pattern of 500 characters has fewer, unless it nests small repetition counts. */
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
