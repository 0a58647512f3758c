import { readFileSync } from 'node:fs';
import { generateKeyRing, type KeyRing, KeyRingError, parseKeyRing } from '#src/shared/key-ring.js';

/** The key ring of this process. It can be read again from a file at run time. */
export class Keys {
  readonly #file: string | undefined;
  #ring: KeyRing;

  private constructor(ring: KeyRing, file: string | undefined) {
    this.#ring = ring;
    this.#file = file;
  }

  /** Parses a ring. Throws `KeyRingError` for other text. */
  static fromText(text: string): Keys {
    return new Keys(parseKeyRing(text), undefined);
  }

  /** Reads a ring. Throws `KeyRingError`, also if the file cannot be read. */
  static fromFile(file: string): Keys {
    return new Keys(ringIn(file), file);
  }

  /** Makes one fresh key. No other process can read what it seals, nor can this process after a restart. */
  static fresh(): Keys {
    return new Keys(generateKeyRing(), undefined);
  }

  readonly ring = (): KeyRing => this.#ring;

  get isFromFile(): boolean {
    return this.#file !== undefined;
  }

  /** Reads the file again. If it throws (as `fromFile` does), the present ring stays. */
  reload(): void {
    if (this.#file !== undefined) this.#ring = ringIn(this.#file);
  }
}

function ringIn(file: string): KeyRing {
  return parseKeyRing(textOf(file).trim());
}

function textOf(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw new KeyRingError(error instanceof Error ? error.message : `${file} cannot be read`);
  }
}
