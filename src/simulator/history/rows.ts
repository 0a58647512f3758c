import { kinds, outcomes } from './lines.js';
import { toByteText } from './pools.js';
import type { OperationKind, OperationOutcome, OperationOutline } from './records.js';

/**
 * Holds operations in memory: 72 bytes each, one after the other. New blocks are added, so that nothing is copied. A
 * row holds only numbers; strings are numbers of a pool. The fields of one operation are adjacent: reading the rows of
 * one user touches one or two cache lines per row, where columns would touch one per field.
 *
 *   8 bytes   planned, sent, done, id
 *   4 bytes   user, session, token + 1, cart + 1, identity (see `identities`)
 *   2 bytes   status + 1, and the label + 1 of: error, backend, incarnation, proxy, key, version
 *   1 byte    kind and outcome, flags
 */
export interface RowBlock {
  readonly buffer: SharedArrayBuffer;
  readonly floats: Float64Array;
  readonly ints: Int32Array;
  readonly shorts: Uint16Array;
  readonly bytes: Uint8Array;
}

export const rowBytes = 72;
export const floatsPerRow = rowBytes / 8;
export const intsPerRow = rowBytes / 4;
export const shortsPerRow = rowBytes / 2;

/** A block has two to this power rows. */
export const blockBits = 14;
export const blockMask = 2 ** blockBits - 1;

export const floatField = { planned: 0, sent: 1, done: 2, id: 3 } as const;
export const intField = { user: 8, session: 9, token: 10, cart: 11, identity: 12 } as const;
/** The bytes of `byteField` stand before the version. */
export const shortField = {
  status: 26,
  error: 27,
  backend: 28,
  incarnation: 29,
  proxy: 30,
  key: 31,
  version: 33,
} as const;
export const byteField = { kind: 64, flags: 65 } as const;

export const outcomeShift = 3;
export const kindMask = 7;
/** Bits of the flags. `odd`: the row holds only user and flags, and the operation is kept as an object. */
export const flag = { final: 1, extra: 2, keptId: 4, odd: 8, renewed: 16 } as const;
/** The user that the answer named: none, anonymous, the user itself, or another user, as its number + `other`. */
export const identities = { absent: 0, anonymous: 1, own: 2, other: 3 } as const;

/** The largest values that a row can hold. An operation with larger ones is `odd`. */
export const sessionMax = 2 ** 31 - 1;
export const statusMax = 2 ** 16 - 2;
export const labelsMax = 2 ** 16 - 2;

/** The first integer of a row that holds fields of two bytes or one byte. */
const firstShortInt = shortField.status / 2;

/** Sets all optional fields to absent. */
export function clearRow({ ints }: RowBlock, row: number): void {
  const int = (row & blockMask) * intsPerRow;
  // A call of fill() takes longer than seven stores.
  ints[int + intField.token] = 0;
  ints[int + intField.cart] = 0;
  ints[int + intField.identity] = 0;
  for (let i = int + firstShortInt; i < int + intsPerRow; i += 1) ints[i] = 0;
}

export function newBlock(buffer = new SharedArrayBuffer(rowBytes * 2 ** blockBits)): RowBlock {
  return {
    buffer,
    floats: new Float64Array(buffer),
    ints: new Int32Array(buffer),
    shorts: new Uint16Array(buffer),
    bytes: new Uint8Array(buffer),
  };
}

/** The fields of an operation as a line of a history holds them, in the order in which Holdfast writes them. */
export const field = {
  ...{ type: 0, id: 1, user: 2, kind: 3, session: 4, plannedMs: 5, sentMs: 6, doneMs: 7, outcome: 8 },
  ...{ token: 9, status: 10, error: 11, identity: 12, items: 13, backend: 14, incarnation: 15, proxy: 16, key: 17 },
  ...{ final: 18, extra: 19, keptId: 20, version: 21, renewed: 22 },
} as const;
const names = Object.keys(field);
/** One bit for each field that every operation has, which is each up to `outcome`. */
export const required = 2 ** (field.outcome + 1) - 1;

export const nameTexts = names.map(name => toByteText(`"${name}":`));
/** The number of each field, by the `hashStart` of its name. */
export const fieldsByStart = new Int8Array(1024).fill(-1);
names.forEach((name, i) => {
  fieldsByStart[hashStart(Buffer.from(`"${name}":`), 0)] = i;
});

/** The values that are compared as a whole. */
export const kindTexts = kinds.map(kind => toByteText(`"${kind}"`));
export const outcomeTexts = outcomes.map(outcome => toByteText(`"${outcome}"`));
export const typeText = toByteText('"operation"');
export const nullText = toByteText('null');
export const trueText = toByteText('true');

/** Where a row keeps each field that is a label. */
export const labelFields: Readonly<Record<number, number>> = {
  [field.error]: shortField.error,
  [field.backend]: shortField.backend,
  [field.incarnation]: shortField.incarnation,
  [field.proxy]: shortField.proxy,
  [field.key]: shortField.key,
  [field.version]: shortField.version,
};

/** The bit of each field that is a flag. */
export const flagFields: Readonly<Record<number, number>> = {
  [field.final]: flag.final,
  [field.extra]: flag.extra,
  [field.keptId]: flag.keptId,
  [field.renewed]: flag.renewed,
};

/** Returns a number below 1024 from the three letters after a quote. It is different for each field name. */
export function hashStart(bytes: Uint8Array, at: number): number {
  const [first, second, third] = [bytes[at + 1] ?? 0, bytes[at + 2] ?? 0, bytes[at + 3] ?? 0];
  return (((first ^ second) & 31) << 5) | (third & 31);
}

/** The strings of a table, indexed by ordinal. */
interface RowTexts {
  readonly users: readonly string[];
  readonly labels: readonly string[];
}

/**
 * Shows a row as an operation, and reads each field only when it is accessed. Passes over millions of operations need a
 * few fields each, and reading all fields took most of their time. Its fields are getters, so do not copy it by
 * spreading.
 */
export class RowOutline implements OperationOutline {
  #block: RowBlock;
  #place: number;
  readonly #texts: RowTexts;

  constructor(block: RowBlock, row: number, texts: RowTexts) {
    this.#block = block;
    this.#place = row & blockMask;
    this.#texts = texts;
  }

  /** Makes it show another row. */
  moveTo(block: RowBlock, row: number): void {
    this.#block = block;
    this.#place = row & blockMask;
  }

  get type(): 'operation' {
    return 'operation';
  }

  get id(): number {
    return this.#float(floatField.id);
  }

  get user(): string {
    return this.#texts.users[this.#int(intField.user)] ?? '';
  }

  get kind(): OperationKind {
    return kinds[this.#byte(byteField.kind) & kindMask] ?? 'login';
  }

  get session(): number {
    return this.#int(intField.session);
  }

  get plannedMs(): number {
    return this.#float(floatField.planned);
  }

  get sentMs(): number {
    return this.#float(floatField.sent);
  }

  get doneMs(): number {
    return this.#float(floatField.done);
  }

  get outcome(): OperationOutcome {
    return outcomes[this.#byte(byteField.kind) >> outcomeShift] ?? 'ok';
  }

  get status(): number | undefined {
    const status = this.#block.shorts[this.#place * shortsPerRow + shortField.status] ?? 0;
    return status === 0 ? undefined : status - 1;
  }

  get identity(): string | null | undefined {
    const identity = this.#int(intField.identity);
    if (identity === identities.absent) return undefined;
    if (identity === identities.anonymous) return null;
    return identity === identities.own ? this.user : this.#texts.users[identity - identities.other];
  }

  get error(): string | undefined {
    return this.#label(shortField.error);
  }

  get backend(): string | undefined {
    return this.#label(shortField.backend);
  }

  get incarnation(): string | undefined {
    return this.#label(shortField.incarnation);
  }

  get version(): string | undefined {
    return this.#label(shortField.version);
  }

  get proxy(): string | undefined {
    return this.#label(shortField.proxy);
  }

  get key(): string | undefined {
    return this.#label(shortField.key);
  }

  get final(): true | undefined {
    return this.#flag(flag.final);
  }

  get extra(): true | undefined {
    return this.#flag(flag.extra);
  }

  get keptId(): true | undefined {
    return this.#flag(flag.keptId);
  }

  get renewed(): true | undefined {
    return this.#flag(flag.renewed);
  }

  #float(field: number): number {
    return this.#block.floats[this.#place * floatsPerRow + field] ?? 0;
  }

  #int(field: number): number {
    return this.#block.ints[this.#place * intsPerRow + field] ?? 0;
  }

  #byte(field: number): number {
    return this.#block.bytes[this.#place * rowBytes + field] ?? 0;
  }

  #label(field: number): string | undefined {
    const label = this.#block.shorts[this.#place * shortsPerRow + field] ?? 0;
    return label === 0 ? undefined : this.#texts.labels[label - 1];
  }

  #flag(bit: number): true | undefined {
    return (this.#byte(byteField.flags) & bit) === 0 ? undefined : true;
  }
}
