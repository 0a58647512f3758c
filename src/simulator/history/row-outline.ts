import { kinds, outcomes } from './lines.js';
import type { OperationKind, OperationOutcome, OperationOutline } from './records.js';
import {
  blockMask,
  byteField,
  flag,
  floatField,
  floatsPerRow,
  identities,
  intField,
  intsPerRow,
  kindMask,
  outcomeShift,
  type RowBlock,
  rowBytes,
  shortField,
  shortsPerRow,
} from './rows.js';

/** The strings of a table, indexed by ordinal. */
export interface RowTexts {
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
