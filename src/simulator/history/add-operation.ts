import { kinds, outcomes } from './lines.js';
import type { OperationTable } from './operation-table.js';
import type { Operation } from './records.js';
import {
  blockMask,
  byteField,
  clearRow,
  flag,
  floatField,
  floatsPerRow,
  identities,
  intField,
  intsPerRow,
  labelsMax,
  outcomeShift,
  type RowBlock,
  rowBytes,
  sessionMax,
  shortField,
  shortsPerRow,
  statusMax,
} from './rows.js';
import type { StringPool } from './string-pool.js';

const known: ReadonlySet<string> = new Set([
  ...['type', 'id', 'user', 'kind', 'session', 'token', 'plannedMs', 'sentMs', 'doneMs', 'outcome', 'status', 'error'],
  ...['identity', 'items', 'backend', 'incarnation', 'proxy', 'key', 'final', 'extra', 'keptId', 'version'],
  'renewed',
]);
const labels = ['error', 'backend', 'incarnation', 'proxy', 'key', 'version'] as const;
/** One half of a surrogate pair: UTF-8 cannot encode it. */
const loneSurrogate = /\p{Surrogate}/u;

/** A user name that a table cannot keep, because UTF-8 cannot encode it. */
export class UnkeepableUser extends Error {}

/** Adds an operation that `parseHistoryLine` accepted. Throws `UnkeepableUser`. */
export function addOperation(table: OperationTable, operation: Operation): void {
  const { user } = operation;
  if (loneSurrogate.test(user)) throw new UnkeepableUser(user);
  const block = table.nextBlock();
  const row = table.length & blockMask;
  clearRow(block, row);
  const int = row * intsPerRow;
  block.ints[int + intField.user] = internOrdinal(table.users, user);
  if (!fits(operation) || !writeRow(table, operation, block, row)) {
    clearRow(block, row);
    block.bytes[row * rowBytes + byteField.flags] = flag.odd;
    table.odd.set(table.length, operation);
  }
  table.keepRow();
}

/** Whether a row can hold the operation. `writeRow` checks the labels and the cart. */
function fits(operation: Operation): boolean {
  const { session, status = 0, token = '', items = [], identity } = operation;
  return (
    Object.keys(operation).every(name => known.has(name)) &&
    Object.is(session, session & sessionMax) &&
    Object.is(status, status & 0xffff) &&
    status <= statusMax &&
    ![token, identity ?? '', ...items, ...labels.map(label => operation[label] ?? '')].some(text =>
      loneSurrogate.test(text),
    )
  );
}

/** Writes the row. Returns false if there are too many labels, or the cart is too long. */
function writeRow(table: OperationTable, operation: Operation, block: RowBlock, row: number): boolean {
  const { id, kind, session, plannedMs, sentMs, doneMs, outcome, token, status } = operation;
  const [float, int, short, byte] = [row * floatsPerRow, row * intsPerRow, row * shortsPerRow, row * rowBytes];
  const user = block.ints[int + intField.user] ?? 0;
  block.floats[float + floatField.planned] = plannedMs;
  block.floats[float + floatField.sent] = sentMs;
  block.floats[float + floatField.done] = doneMs;
  block.floats[float + floatField.id] = id;
  block.ints[int + intField.session] = session;
  if (token !== undefined) block.ints[int + intField.token] = table.tokens.internText(token, user) + 1;
  block.ints[int + intField.identity] = identityOf(operation, table);
  if (status !== undefined) block.shorts[short + shortField.status] = status + 1;
  block.bytes[byte + byteField.kind] = kinds.indexOf(kind) | (outcomes.indexOf(outcome) << outcomeShift);
  block.bytes[byte + byteField.flags] = flagsOf(operation);
  const cart = cartOf(operation, table, user);
  block.ints[int + intField.cart] = cart + 1;
  return writeLabels(table, operation, block, short) && (cart >= 0 || operation.items === undefined);
}

function internOrdinal(pool: StringPool, text: string): number {
  return pool.ordinal(pool.internText(text, 0));
}

function identityOf({ identity, user }: Operation, { users }: OperationTable): number {
  if (identity === undefined) return identities.absent;
  if (identity === null) return identities.anonymous;
  return identity === user ? identities.own : identities.other + internOrdinal(users, identity);
}

function flagsOf({ final, extra, keptId, renewed }: Operation): number {
  const ofLogin = (extra ? flag.extra : 0) | (keptId ? flag.keptId : 0);
  return (final ? flag.final : 0) | ofLogin | (renewed ? flag.renewed : 0);
}

/** Adds the cart and returns its number. Returns -1 if there is none, or it is too long. */
function cartOf({ items }: Operation, { tokens, carts }: OperationTable, user: number): number {
  if (items === undefined) return -1;
  return carts.add(
    Int32Array.from(items, item => tokens.internText(item, user)),
    items.length,
  );
}

function writeLabels(table: OperationTable, operation: Operation, block: RowBlock, short: number): boolean {
  for (const name of labels) {
    const text = operation[name];
    if (text === undefined) continue;
    const label = internOrdinal(table.labels, text);
    if (label > labelsMax) return false;
    block.shorts[short + shortField[name]] = label + 1;
  }
  return true;
}
