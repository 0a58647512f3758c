import { kinds, outcomes } from './lines.js';
import { Carts, StringPool, type StringPoolParts, UserTexts } from './pools.js';
import type { Operation, OperationKind, OperationOutcome, OperationOutline } from './records.js';
import {
  blockBits,
  blockMask,
  byteField,
  flag,
  floatField,
  floatsPerRow,
  identities,
  intField,
  intsPerRow,
  kindMask,
  newBlock,
  outcomeShift,
  type RowBlock,
  RowOutline,
  rowBytes,
  shortField,
  shortsPerRow,
} from './rows.js';

type Draft = { -readonly [Field in keyof Operation]: Operation[Field] };

/** The memory of a table, in the form in which threads pass it on. Only `odd` is copied. */
export interface TableParts {
  readonly length: number;
  readonly blocks: readonly SharedArrayBuffer[];
  readonly carts: readonly Int32Array[];
  readonly users: StringPoolParts;
  readonly tokens: StringPoolParts;
  readonly labels: StringPoolParts;
  /** Operations that no row can hold, by row. */
  readonly odd: ReadonlyMap<number, Operation>;
  readonly byUser: RowsByUser;
}

export interface RowsByUser {
  readonly rows: Int32Array;
  readonly ends: Int32Array;
}

/** Keeps operations outside the heap, with no work for the garbage collector: about 80 bytes for each operation, and 4
 * for each item of a cart. */
export class OperationTable {
  readonly users: StringPool;
  readonly tokens: StringPool;
  /** Names of backends, proxies and keys, and error messages. */
  readonly labels: StringPool;
  readonly carts: Carts;
  readonly blocks: RowBlock[];
  readonly odd: Map<number, Operation>;
  #length: number;
  #byUser: RowsByUser | undefined;
  #labelTexts: string[] | undefined;
  #userTexts: string[] | undefined;

  constructor(parts?: TableParts, expectedTokens = 0) {
    this.users = new StringPool(parts?.users);
    this.tokens = new StringPool(parts?.tokens, expectedTokens);
    this.labels = new StringPool(parts?.labels);
    this.carts = new Carts([...(parts?.carts ?? [])]);
    this.blocks = (parts?.blocks ?? []).map(newBlock);
    this.odd = new Map(parts?.odd);
    this.#length = parts?.length ?? 0;
    this.#byUser = parts?.byUser;
  }

  get length(): number {
    return this.#length;
  }

  parts(): TableParts {
    return {
      length: this.#length,
      blocks: this.blocks.map(({ buffer }) => buffer),
      carts: this.carts.blocks,
      users: this.users.parts(),
      tokens: this.tokens.parts(),
      labels: this.labels.parts(),
      odd: this.odd,
      byUser: this.rowsByUser(),
    };
  }

  /** Returns the block for the next row. Write the row, then call `keepRow`. */
  nextBlock(): RowBlock {
    const number = this.#length >> blockBits;
    const block = this.blocks[number] ?? newBlock();
    this.blocks[number] = block;
    return block;
  }

  keepRow(): void {
    this.#length += 1;
    this.#byUser = undefined;
    this.#labelTexts = undefined;
    this.#userTexts = undefined;
  }

  idOf(row: number): number {
    if (this.#isOdd(row)) return this.odd.get(row)?.id ?? 0;
    return this.#blockOf(row).floats[(row & blockMask) * floatsPerRow + floatField.id] ?? 0;
  }

  userTexts(): readonly string[] {
    this.#userTexts ??= this.users.texts();
    return this.#userTexts;
  }

  *outlines(): Generator<OperationOutline> {
    const texts = { users: this.userTexts(), labels: this.labels.texts() };
    for (let row = 0; row < this.#length; row += 1) {
      const odd = this.odd.size > 0 ? this.odd.get(row) : undefined;
      yield odd ?? new RowOutline(this.#blockOf(row), row, texts);
    }
  }

  /** Passes each outline to `see`. An outline is valid only until `see` returns. */
  eachOutline(see: (outline: OperationOutline) => void): void {
    if (this.#length === 0) return;
    const outline = new RowOutline(this.#blockOf(0), 0, { users: this.userTexts(), labels: this.labels.texts() });
    for (let first = 0; first < this.#length; first += blockMask + 1) {
      const block = this.#blockOf(first);
      const end = Math.min(this.#length, first + blockMask + 1);
      for (let row = first; row < end; row += 1) {
        const odd = this.odd.size > 0 ? this.odd.get(row) : undefined;
        if (odd === undefined) outline.moveTo(block, row);
        see(odd ?? outline);
      }
    }
  }

  operationAt(row: number): Operation {
    return this.#operationAt(row, new UserTexts(this.tokens, this.carts));
  }

  /** Appends the operations in `rows[from]` to `rows[to - 1]`, all of one user: its strings are made once. */
  addOperationsAt(rows: Int32Array, from: number, to: number, operations: Operation[]): void {
    const texts = new UserTexts(this.tokens, this.carts);
    for (let i = from; i < to; i += 1) operations.push(this.#operationAt(rows[i] ?? 0, texts));
  }

  /** Returns the rows user by user, and where the rows of each user end. */
  rowsByUser(): RowsByUser {
    this.#byUser ??= this.#sortByUser();
    return this.#byUser;
  }

  /** Sorts the rows by user with a counting sort. */
  #sortByUser(): RowsByUser {
    const ends = new Int32Array(new SharedArrayBuffer(this.users.size * 4));
    for (let row = 0; row < this.#length; row += 1) {
      const user = this.#userOf(row) + 1;
      if (user < ends.length) ends[user] = (ends[user] ?? 0) + 1;
    }
    for (let user = 1; user < ends.length; user += 1) ends[user] = (ends[user] ?? 0) + (ends[user - 1] ?? 0);
    const rows = new Int32Array(new SharedArrayBuffer(this.#length * 4));
    for (let row = 0; row < this.#length; row += 1) {
      const user = this.#userOf(row);
      const end = ends[user] ?? 0;
      rows[end] = row;
      ends[user] = end + 1;
    }
    return { ends, rows };
  }

  #userOf(row: number): number {
    return this.#blockOf(row).ints[(row & blockMask) * intsPerRow + intField.user] ?? 0;
  }

  #isOdd(row: number): boolean {
    const flags = this.#blockOf(row).bytes[(row & blockMask) * rowBytes + byteField.flags] ?? 0;
    return (flags & flag.odd) !== 0;
  }

  #blockOf(row: number): RowBlock {
    const block = this.blocks[row >> blockBits];
    if (block === undefined) throw new RangeError(`no row ${row} among ${this.#length}`);
    return block;
  }

  #operationAt(row: number, texts: UserTexts): Operation {
    const { floats, ints, shorts, bytes } = this.#blockOf(row);
    const place = row & blockMask;
    const byte = place * rowBytes;
    const flags = bytes[byte + byteField.flags] ?? 0;
    if ((flags & flag.odd) !== 0) return this.#oddAt(row);
    const [float, int, short] = [place * floatsPerRow, place * intsPerRow, place * shortsPerRow];
    const kind = bytes[byte + byteField.kind] ?? 0;
    const user = this.#userText(ints[int + intField.user] ?? 0);
    const operation: Draft = new RowOperation(
      floats[float + floatField.id] ?? 0,
      user,
      kinds[kind & kindMask] ?? 'login',
      ints[int + intField.session] ?? 0,
      floats[float + floatField.planned] ?? 0,
      floats[float + floatField.sent] ?? 0,
      floats[float + floatField.done] ?? 0,
      outcomes[kind >> outcomeShift] ?? 'ok',
    );
    const token = ints[int + intField.token] ?? 0;
    if (token !== 0) operation.token = texts.token(token - 1);
    const status = shorts[short + shortField.status] ?? 0;
    if (status !== 0) operation.status = status - 1;
    const error = shorts[short + shortField.error] ?? 0;
    if (error !== 0) operation.error = this.#labelText(error - 1);
    const identity = ints[int + intField.identity] ?? 0;
    if (identity === identities.own) operation.identity = user;
    else if (identity !== identities.absent) operation.identity = this.#identityText(identity);
    const cart = ints[int + intField.cart] ?? 0;
    if (cart !== 0) operation.items = texts.cart(cart - 1);
    const backend = shorts[short + shortField.backend] ?? 0;
    if (backend !== 0) operation.backend = this.#labelText(backend - 1);
    const incarnation = shorts[short + shortField.incarnation] ?? 0;
    if (incarnation !== 0) operation.incarnation = this.#labelText(incarnation - 1);
    const proxy = shorts[short + shortField.proxy] ?? 0;
    if (proxy !== 0) operation.proxy = this.#labelText(proxy - 1);
    const version = shorts[short + shortField.version] ?? 0;
    if (version !== 0) operation.version = this.#labelText(version - 1);
    const key = shorts[short + shortField.key] ?? 0;
    if (key !== 0) operation.key = this.#labelText(key - 1);
    if (flags !== 0) addFlags(operation, flags);
    return operation;
  }

  #oddAt(row: number): Operation {
    const operation = this.odd.get(row);
    if (operation === undefined) throw new RangeError(`row ${row} holds no operation`);
    return operation;
  }

  #labelText(label: number): string {
    this.#labelTexts ??= this.labels.texts();
    return this.#labelTexts[label] ?? '';
  }

  #userText(user: number): string {
    return this.userTexts()[user] ?? '';
  }

  #identityText(identity: number): string | null {
    return identity === identities.anonymous ? null : this.#userText(identity - identities.other);
  }
}

/**
 * Holds the fields that every operation has. V8 learns from a constructor how many fields its objects get later, and
 * reserves room in the object itself. A growing literal gets a second object, which is copied as it grows.
 */
class RowOperation implements Operation {
  readonly type = 'operation';
  constructor(
    readonly id: number,
    readonly user: string,
    readonly kind: OperationKind,
    readonly session: number,
    readonly plannedMs: number,
    readonly sentMs: number,
    readonly doneMs: number,
    readonly outcome: OperationOutcome,
  ) {}
}

function addFlags(operation: Draft, flags: number): void {
  if ((flags & flag.final) !== 0) operation.final = true;
  if ((flags & flag.extra) !== 0) operation.extra = true;
  if ((flags & flag.keptId) !== 0) operation.keptId = true;
  if ((flags & flag.renewed) !== 0) operation.renewed = true;
}
