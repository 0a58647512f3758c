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
