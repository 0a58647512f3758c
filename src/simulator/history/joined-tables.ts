import { OperationTable, type TableParts } from './operation-table.js';
import type { Operation, OperationOutline, Operations } from './records.js';

/** One of several equal shares of the users. A share is contiguous, so that users with adjacent rows stay together. */
export interface UserShare {
  readonly number: number;
  readonly of: number;
}

/** The operations of one run that was read in parts. Each part is a table, which may hold operations of every user. */
export class JoinedTables implements Operations {
  readonly length: number;
  readonly parts: readonly TableParts[];
  readonly #tables: readonly OperationTable[];
  readonly #share: UserShare;
  #users: readonly (readonly number[])[] | undefined;

  /** Joins the parts. `usersInTurn` yields only the users of the share. */
  constructor(parts: readonly TableParts[], share: UserShare = { number: 0, of: 1 }) {
    this.parts = parts;
    this.#tables = parts.map(each => new OperationTable(each));
    this.#share = share;
    this.length = parts.reduce((sum, { length }) => sum + length, 0);
  }

  *[Symbol.iterator](): Generator<Operation> {
    for (const table of this.#tables) {
      for (let row = 0; row < table.length; row += 1) yield table.operationAt(row);
    }
  }

  *outlines(): Generator<OperationOutline> {
    for (const table of this.#tables) yield* table.outlines();
  }

  eachOutline(see: (outline: OperationOutline) => void): void {
    for (const table of this.#tables) table.eachOutline(see);
  }

  /** Yields the operations of each user, in the order in which users first appear. */
  *usersInTurn(): Generator<Operation[]> {
    const tables = this.#tables.map(table => ({ table, ...table.rowsByUser() }));
    for (const numbers of this.groupUsers()) {
      const own: Operation[] = [];
      for (const [i, { table, rows, ends }] of tables.entries()) {
        const user = numbers[i] ?? -1;
        if (user >= 0) table.addOperationsAt(rows, ends[user - 1] ?? 0, ends[user] ?? 0, own);
      }
      // A user whose name occurs only in answers has no operations.
      if (own.length > 0) yield own;
    }
  }

  /** Returns, for each user of the share, its number in each table, or -1. It computes this once, and a thread can
   * call it early. */
  groupUsers(): readonly (readonly number[])[] {
    this.#users ??= this.#shareOf(this.#usersByTable());
    return this.#users;
  }

  hasRepeatedId(): boolean {
    const seen = new SeenIds(this.length);
    for (const table of this.#tables) {
      for (let row = 0; row < table.length; row += 1) if (!seen.add(table.idOf(row))) return true;
    }
    return false;
  }

  #shareOf<Item>(items: readonly Item[]): readonly Item[] {
    const { number, of } = this.#share;
    const cut = (part: number) => Math.floor((items.length * part) / of);
    return items.slice(cut(number), cut(number + 1));
  }

  #usersByTable(): readonly (readonly number[])[] {
    // Plain arrays, because a million small typed arrays would keep the garbage collector busy.
    const numbers = new Map<string, number[]>();
    for (const [i, table] of this.#tables.entries()) {
      for (const [user, name] of table.userTexts().entries()) {
        const own = numbers.get(name) ?? this.#tables.map(() => -1);
        own[i] = user;
        numbers.set(name, own);
      }
    }
    return [...numbers.values()];
  }
}

/** The set of ids seen so far. Ids nearly always count up from 0 or 1, so one bit each is enough. */
class SeenIds {
  readonly #bits: Uint32Array;
  readonly #others = new Set<number>();

  constructor(expected: number) {
    this.#bits = new Uint32Array(2 * Math.ceil(expected / 32) + 1);
  }

  /** Adds an id. Returns false if it was there before. */
  add(id: number): boolean {
    const word = Math.floor(id / 32);
    if (word >= this.#bits.length) return this.#others.size < this.#others.add(id).size;
    const [bits, bit] = [this.#bits[word] ?? 0, 1 << (id % 32)];
    this.#bits[word] = bits | bit;
    return (bits & bit) === 0;
  }
}
