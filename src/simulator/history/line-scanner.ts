import { kinds, outcomes } from './lines.js';
import type { OperationTable } from './operation-table.js';
import { type ByteText, hashByte, hashSeed, matchesAt, mixHash, type Source, sourceOf } from './pools.js';
import {
  blockMask,
  byteField,
  clearRow,
  field,
  fieldsByStart,
  flagFields,
  floatField,
  floatsPerRow,
  hashStart,
  identities,
  intField,
  intsPerRow,
  kindMask,
  kindTexts,
  labelFields,
  labelsMax,
  nameTexts,
  nullText,
  outcomeShift,
  outcomeTexts,
  type RowBlock,
  required,
  rowBytes,
  sessionMax,
  shortField,
  shortsPerRow,
  statusMax,
  trueText,
  typeText,
} from './rows.js';

/** Result of `scan` for a line that is not an operation in the form that Holdfast writes. */
const unknown = -1;

const [quote, comma, point, backslash, lineEnd] = [0x22, 0x2c, 0x2e, 0x5c, 0x0a];
const [objectStart, objectEnd, listStart, listEnd] = [0x7b, 0x7d, 0x5b, 0x5d];
const [zero, nine, space, del] = [0x30, 0x39, 0x20, 0x7f];

/** Bytes that must follow the source: texts are compared without checking for its end. */
export const paddingBytes = 32;

const millisecondsMax = 1_000_000_000;
/** A double holds any whole number with this many digits. Dividing it by a power of ten rounds once, as JSON.parse
 * does. */
const exactDigits = 15;
const powersOfTen = Float64Array.from({ length: exactDigits + 1 }, (_, i) => 10 ** i);

const [addKind, removeKind, readKind] = [kinds.indexOf('add'), kinds.indexOf('remove'), kinds.indexOf('read')];
const okOutcome = outcomes.indexOf('ok');

/**
 * Reads lines of operations from bytes into the next row of a table, without making strings or objects. It accepts only
 * what Holdfast writes: no white space, printable ASCII without backslashes, plain numbers, each field once. It leaves
 * any other line, and any error, to `parseHistoryLine`, which knows all of JSON.
 *
 * In the source, a line end must follow the line, even an incomplete one, and then `paddingBytes` more bytes.
 */
export class LineScanner {
  readonly #table: OperationTable;
  #source: Source = sourceOf(Buffer.alloc(0));
  #bytes: Uint8Array = this.#source.bytes;
  #view: DataView = this.#source.view;
  #block: RowBlock;
  #row = 0;
  #user = -1;
  #userAddress = 0;
  #hash = 0;
  #items: Int32Array = new Int32Array(256);
  /** The number of the last cart of each user, plus 1; 0: none. The next cart of that user is nearly the same. */
  #lastCarts: Int32Array = new Int32Array(1024);
  /** The number of the last new token of each user, plus 1; 0: none. */
  #lastTokens: Int32Array = new Int32Array(1024);

  constructor(table: OperationTable) {
    this.#table = table;
    this.#block = table.nextBlock();
  }

  /** Scans the line that begins at `from`. Returns where it ends, or -1. The row counts only when the table keeps
   * it. */
  scan(source: Source, from: number): number {
    const { bytes, view } = source;
    this.#source = source;
    this.#bytes = bytes;
    this.#view = view;
    this.#block = this.#table.nextBlock();
    this.#row = this.#table.length & blockMask;
    this.#user = -1;
    clearRow(this.#block, this.#row);
    if (bytes[from] !== objectStart) return unknown;
    let seen = 0;
    for (let at = from + 1; ; at += 1) {
      const name = fieldsByStart[hashStart(bytes, at)] ?? -1;
      const text = nameTexts[name];
      if (text === undefined || (seen & (1 << name)) !== 0 || !matchesAt(view, at, text)) return unknown;
      seen |= 1 << name;
      at = this.#value(name, at + text.length);
      if (at < 0) return at;
      if (bytes[at] === comma) continue;
      if (bytes[at] !== objectEnd || bytes[at + 1] !== lineEnd) return unknown;
      return (seen & required) === required && this.#isSound(seen) ? at + 1 : unknown;
    }
  }

  /** Reads the value of a field. Returns where it ends. */
  #value(name: number, at: number): number {
    switch (name) {
      case field.type:
        return matchesAt(this.#view, at, typeText) ? at + typeText.length : unknown;
      case field.id:
        return this.#integer(at, Number.MAX_SAFE_INTEGER, floatField.id);
      case field.user:
        return this.#userName(at);
      case field.kind:
        return this.#oneOf(kindTexts, at, 0);
      case field.session:
        return this.#session(at);
      case field.plannedMs:
        return this.#milliseconds(at, floatField.planned);
      case field.sentMs:
        return this.#milliseconds(at, floatField.sent);
      case field.doneMs:
        return this.#milliseconds(at, floatField.done);
      case field.outcome:
        return this.#oneOf(outcomeTexts, at, outcomeShift);
      case field.token:
        return this.#token(at);
      case field.status:
        return this.#status(at);
      case field.identity:
        return this.#identity(at);
      case field.items:
        return this.#cart(at);
      case field.final:
      case field.extra:
      case field.keptId:
      case field.renewed:
        return this.#flag(at, flagFields[name] ?? 0);
      default:
        return this.#label(at, labelFields[name] ?? 0);
    }
  }

  /** Whether the fields of the row agree with each other, as `parseHistoryLine` demands. */
  #isSound(seen: number): boolean {
    const { floats, bytes } = this.#block;
    const float = this.#row * floatsPerRow;
    const planned = floats[float + floatField.planned] ?? 0;
    const sent = floats[float + floatField.sent] ?? 0;
    const done = floats[float + floatField.done] ?? 0;
    if (sent < planned || done < sent) return false;
    const kindAndOutcome = bytes[this.#row * rowBytes + byteField.kind] ?? 0;
    const kind = kindAndOutcome & kindMask;
    if (kind === addKind || kind === removeKind) return (seen & (1 << field.token)) !== 0;
    return kind !== readKind || kindAndOutcome >> outcomeShift !== okOutcome || (seen & (1 << field.items)) !== 0;
  }

  #userName(at: number): number {
    const end = this.#string(at, 0);
    if (end < 0 || end === at + 2) return unknown;
    const { users } = this.#table;
    this.#userAddress = users.intern(this.#source, at + 1, end - 1, 0, this.#hash);
    this.#user = users.ordinal(this.#userAddress);
    this.#block.ints[this.#row * intsPerRow + intField.user] = this.#user;
    return end;
  }

  #token(at: number): number {
    if (this.#user < 0) return unknown;
    const end = this.#string(at, this.#user);
    if (end < 0 || end === at + 2) return unknown;
    // Looking it up in the pool would miss the cache. The kind nearly always stands before the token.
    const token = this.#table.tokens.append(this.#source, at + 1, end - 1, this.#user, this.#hash);
    const kind = (this.#block.bytes[this.#row * rowBytes + byteField.kind] ?? 0) & kindMask;
    if (kind === addKind) this.#link(token);
    this.#block.ints[this.#row * intsPerRow + intField.token] = token + 1;
    return end;
  }

  #internToken(from: number, to: number): number {
    const { tokens } = this.#table;
    const { size } = tokens;
    const token = tokens.intern(this.#source, from, to, this.#user, this.#hash);
    if (tokens.size > size) this.#link(token);
    return token;
  }

  /** Links the user's tokens in the order in which they first occur: most carts keep that order. */
  #link(token: number): void {
    if (this.#user >= this.#lastTokens.length) this.#lastTokens = growTo(this.#lastTokens, this.#user + 1);
    const last = (this.#lastTokens[this.#user] ?? 0) - 1;
    if (last >= 0) this.#table.tokens.link(last, token);
    this.#lastTokens[this.#user] = token + 1;
  }

  #identity(at: number): number {
    const { ints } = this.#block;
    const int = this.#row * intsPerRow + intField.identity;
    if (this.#user < 0) return unknown;
    if (matchesAt(this.#view, at, nullText)) {
      ints[int] = identities.anonymous;
      return at + nullText.length;
    }
    if (this.#bytes[at] !== quote) return unknown;
    const own = this.#table.users.endIfWrittenAt(this.#userAddress, this.#source, at + 1);
    if (own >= 0) {
      ints[int] = identities.own;
      return own + 1;
    }
    const end = this.#string(at, 0);
    if (end < 0) return end;
    const { users } = this.#table;
    ints[int] = identities.other + users.ordinal(users.intern(this.#source, at + 1, end - 1, 0, this.#hash));
    return end;
  }

  #label(at: number, short: number): number {
    const end = this.#string(at, 0);
    if (end < 0) return end;
    const { labels } = this.#table;
    const label = labels.ordinal(labels.intern(this.#source, at + 1, end - 1, 0, this.#hash));
    if (label > labelsMax) return unknown;
    this.#block.shorts[this.#row * shortsPerRow + short] = label + 1;
    return end;
  }

  /**
   * Reads a cart. It compares with the user's last cart first, which nearly always holds the same tokens in the
   * same order. After its end come the tokens that the user has added since.
   */
  #cart(at: number): number {
    if (this.#user < 0 || this.#bytes[at] !== listStart) return unknown;
    const { carts, tokens } = this.#table;
    const bytes = this.#bytes;
    const last = (this.#lastCarts[this.#user] ?? 0) - 1;
    const block = last < 0 ? noCart : carts.blockOf(last);
    const first = last < 0 ? 1 : carts.placeOf(last) + 1;
    const end = first + (block[first - 1] ?? 0);
    let [next, count, isSame] = [first, 0, true];
    at += 1;
    if (bytes[at] === listEnd) at += 1;
    else {
      for (let token = -1; ; ) {
        if (bytes[at] !== quote) return unknown;
        let to = -1;
        if (next < end) {
          token = block[next] ?? 0;
          to = tokens.endIfWrittenAt(token, this.#source, at + 1);
          if (to >= 0) next += 1;
          else if (next + 1 < end) {
            // One token was removed.
            token = block[next + 1] ?? 0;
            to = tokens.endIfWrittenAt(token, this.#source, at + 1);
            if (to >= 0) next += 2;
            isSame = false;
          }
        } else if (token >= 0) {
          token = tokens.next(token);
          if (token >= 0) to = tokens.endIfWrittenAt(token, this.#source, at + 1);
          isSame = false;
        }
        if (to < 0) {
          to = this.#string(at, this.#user) - 1;
          if (to < 0) return unknown;
          token = this.#internToken(at + 1, to);
          isSame = false;
        }
        if (count === this.#items.length) this.#items = growTo(this.#items, count + 1);
        this.#items[count] = token;
        count += 1;
        at = to + 2;
        const after = bytes[to + 1];
        if (after === listEnd) break;
        if (after !== comma) return unknown;
      }
    }
    return this.#keepCart(isSame && last >= 0 && count === end - first ? last : carts.add(this.#items, count), at);
  }

  #keepCart(cart: number, at: number): number {
    if (cart < 0) return unknown;
    if (this.#user >= this.#lastCarts.length) this.#lastCarts = growTo(this.#lastCarts, this.#user + 1);
    this.#lastCarts[this.#user] = cart + 1;
    this.#block.ints[this.#row * intsPerRow + intField.cart] = cart + 1;
    return at;
  }

  /** Returns where a string with its quotes ends, and sets `#hash` to the hash of its bytes. */
  #string(at: number, scope: number): number {
    const bytes = this.#bytes;
    if (bytes[at] !== quote) return unknown;
    let hash = hashSeed(scope);
    for (let i = at + 1; ; i += 1) {
      const byte = bytes[i] ?? 0;
      if (byte === quote) {
        this.#hash = mixHash(hash);
        return i + 1;
      }
      if (byte < space || byte >= del || byte === backslash) return unknown;
      hash = hashByte(hash, byte);
    }
  }

  #milliseconds(at: number, float: number): number {
    const end = this.#number(at, float);
    return (this.#block.floats[this.#row * floatsPerRow + float] ?? 0) <= millisecondsMax ? end : unknown;
  }

  #integer(at: number, max: number, float: number): number {
    const end = this.#number(at, float);
    const value = this.#block.floats[this.#row * floatsPerRow + float] ?? 0;
    return value <= max && Number.isInteger(value) ? end : unknown;
  }

  #session(at: number): number {
    const end = this.#small(at, sessionMax);
    this.#block.ints[this.#row * intsPerRow + intField.session] = this.#smallValue;
    return end;
  }

  #status(at: number): number {
    const end = this.#small(at, statusMax);
    this.#block.shorts[this.#row * shortsPerRow + shortField.status] = this.#smallValue + 1;
    return end;
  }

  #smallValue = 0;

  /** Reads an integer of at most nine digits into `#smallValue`. Returns where it ends. */
  #small(at: number, max: number): number {
    const bytes = this.#bytes;
    let value = 0;
    let end = at;
    for (; ; end += 1) {
      const byte = bytes[end] ?? 0;
      if (byte < zero || byte > nine) break;
      value = value * 10 + byte - zero;
      if (end - at >= 9) return unknown;
    }
    this.#smallValue = value;
    const isWritten = end > at && (end === at + 1 || bytes[at] !== zero);
    return isWritten && value <= max ? end : unknown;
  }

  #number(at: number, float: number): number {
    const bytes = this.#bytes;
    let value = 0;
    let end = at;
    let byte = bytes[end] ?? 0;
    for (; byte >= zero && byte <= nine; byte = bytes[++end] ?? 0) value = value * 10 + byte - zero;
    let digits = end - at;
    if (digits === 0 || (digits > 1 && bytes[at] === zero)) return unknown;
    if (byte === point) {
      const first = end + 1;
      for (byte = bytes[++end] ?? 0; byte >= zero && byte <= nine; byte = bytes[++end] ?? 0) {
        value = value * 10 + byte - zero;
      }
      if (end === first) return unknown;
      digits += end - first;
      value /= powersOfTen[end - first] ?? 1;
    }
    this.#block.floats[this.#row * floatsPerRow + float] =
      digits <= exactDigits ? value : Number(String.fromCharCode(...bytes.subarray(at, end)));
    return end;
  }

  #oneOf(texts: readonly ByteText[], at: number, shift: number): number {
    const { bytes } = this.#block;
    const byte = this.#row * rowBytes + byteField.kind;
    for (let i = 0; i < texts.length; i += 1) {
      const text = texts[i];
      if (text === undefined || !matchesAt(this.#view, at, text)) continue;
      bytes[byte] = (bytes[byte] ?? 0) | (i << shift);
      return at + text.length;
    }
    return unknown;
  }

  #flag(at: number, bit: number): number {
    const { bytes } = this.#block;
    const byte = this.#row * rowBytes + byteField.flags;
    bytes[byte] = (bytes[byte] ?? 0) | bit;
    return matchesAt(this.#view, at, trueText) ? at + trueText.length : unknown;
  }
}

const noCart = new Int32Array(1);

function growTo(list: Int32Array, length: number): Int32Array {
  const longer = new Int32Array(Math.max(length, list.length * 2));
  longer.set(list);
  return longer;
}
