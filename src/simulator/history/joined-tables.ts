import { OperationTable, type TableParts } from './operation-table.js';
import type { Operation, OperationOutline, Operations } from './records.js';

/** One of several equal shares of the users. Each is one piece, so that users whose rows lie side by side stay together. */
export interface Share {
  readonly number: number;
  readonly of: number;
}

/** The operations of one run, read in parts: one table after the other, each with some operations of any user. */
export class JoinedTables implements Operations {
  readonly length: number;
  readonly parts: readonly TableParts[];
  readonly #tables: readonly OperationTable[];
  readonly #share: Share;

  /** `usersInTurn` yields the users of the share only. */
  constructor(parts: readonly TableParts[], share: Share = { number: 0, of: 1 }) {
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

  /** Users in the order in which they first appear. */
  *usersInTurn(): Generator<Operation[]> {
    const tables = this.#tables.map(table => ({ table, ...table.rowsByUser() }));
    const users = [...this.#usersByTable()];
    const cut = (number: number) => Math.floor((users.length * number) / this.#share.of);
    for (const numbers of users.slice(cut(this.#share.number), cut(this.#share.number + 1))) {
      const own = tables.flatMap(({ table, rows, ends }, i) => {
        const user = numbers[i] ?? -1;
        return user < 0 ? [] : table.operationsAt(rows.subarray(ends[user - 1] ?? 0, ends[user]));
      });
      // A user that only an answer named has no operations.
      if (own.length > 0) yield own;
    }
  }

  hasRepeatedId(): boolean {
    const ids = new Float64Array(this.length);
    let count = 0;
    for (const table of this.#tables) for (let row = 0; row < table.length; row += 1) ids[count++] = table.idOf(row);
    return hasRepeat(ids);
  }

  /** For each user its number in each table, or -1. */
  #usersByTable(): Iterable<readonly number[]> {
    // Plain lists: a million small typed arrays would keep the garbage collector busy.
    const numbers = new Map<string, number[]>();
    for (const [i, table] of this.#tables.entries()) {
      for (const [user, name] of table.userTexts().entries()) {
        const own = numbers.get(name) ?? this.#tables.map(() => -1);
        own[i] = user;
        numbers.set(name, own);
      }
    }
    return numbers.values();
  }
}

/** Ids are nearly always the numbers from 0 or 1 on: then one bit each is enough. */
function hasRepeat(ids: Float64Array): boolean {
  const max = ids.reduce((greatest, id) => Math.max(greatest, id), 0);
  if (max > 64 * ids.length) return hasEqualNeighbours(ids.sort());
  const seen = new Uint32Array(Math.floor(max / 32) + 1);
  for (const id of ids) {
    const [word, bit] = [Math.floor(id / 32), 1 << (id % 32)];
    if (((seen[word] ?? 0) & bit) !== 0) return true;
    seen[word] = (seen[word] ?? 0) | bit;
  }
  return false;
}

function hasEqualNeighbours(sorted: Float64Array): boolean {
  return sorted.some((id, i) => i > 0 && id === sorted[i - 1]);
}
