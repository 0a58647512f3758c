import type { OperationTable } from './operation-table.js';
import type { Operation, OperationOutline, Operations } from './records.js';

/** The operations of one run, read in parts: each table holds some of the users. */
export class JoinedTables implements Operations {
  readonly length: number;
  readonly #tables: readonly OperationTable[];

  constructor(tables: readonly OperationTable[]) {
    this.#tables = tables;
    this.length = tables.reduce((sum, table) => sum + table.length, 0);
  }

  /** As they stand in the file. */
  *[Symbol.iterator](): Generator<Operation> {
    for (const [table, row] of this.#inFileOrder()) yield table.operationAt(row);
  }

  /** Table by table: the order tells nothing. */
  *outlines(): Generator<OperationOutline> {
    for (const table of this.#tables) {
      for (let row = 0; row < table.length; row += 1) yield table.outlineAt(row);
    }
  }

  *usersInTurn(): Generator<Operation[]> {
    for (const table of this.#tables) yield* table.byUser();
  }

  hasRepeatedId(): boolean {
    const ids = new Float64Array(this.length);
    let count = 0;
    for (const table of this.#tables) for (let row = 0; row < table.length; row += 1) ids[count++] = table.idOf(row);
    return hasRepeat(ids);
  }

  *#inFileOrder(): Generator<[OperationTable, number]> {
    const next = this.#tables.map(() => 0);
    for (let place = 0; place < this.length; place += 1) {
      const number = this.#tables.findIndex((table, i) => {
        const row = next[i] ?? 0;
        return row < table.length && table.placeOf(row) === place;
      });
      const table = this.#tables[number];
      if (table === undefined) throw new RangeError(`no part of the history holds operation ${place}`);
      const row = next[number] ?? 0;
      next[number] = row + 1;
      yield [table, row];
    }
  }
}

/** Ids are nearly always the numbers from 0 or 1 on: then one bit each is enough. */
function hasRepeat(ids: Float64Array): boolean {
  const max = ids.reduce((greatest, id) => Math.max(greatest, id), 0);
  if (max > 64 * ids.length) return hasEqualNeighbours(ids.sort());
  const seen = new Uint32Array(Math.floor(max / 32) + 1);
  for (const id of ids) {
    const [word, bit] = [id >>> 5, 1 << (id & 31)];
    if (((seen[word] ?? 0) & bit) !== 0) return true;
    seen[word] = (seen[word] ?? 0) | bit;
  }
  return false;
}

function hasEqualNeighbours(sorted: Float64Array): boolean {
  return sorted.some((id, i) => i > 0 && id === sorted[i - 1]);
}
