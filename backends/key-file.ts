import { readFileSync } from 'node:fs';
import { generateKeyRing, type KeyRing, KeyRingError, parseKeyRing } from '#src/shared/key-ring.js';

/** The key ring of this process, which a file can exchange while it runs. */
export class Keys {
  readonly #file: string | undefined;
  #ring: KeyRing;

  private constructor(ring: KeyRing, file: string | undefined) {
    this.#ring = ring;
    this.#file = file;
  }

  /** Throws `KeyRingError` for text that is no ring. */
  static fromText(text: string): Keys {
    return new Keys(parseKeyRing(text), undefined);
  }

  /** Throws `KeyRingError`, also when the file cannot be read. */
  static fromFile(file: string): Keys {
    return new Keys(ringIn(file), file);
  }

  /** One fresh key: no other process can read what this one seals, nor this one itself after a restart. */
  static fresh(): Keys {
    return new Keys(generateKeyRing(), undefined);
  }

  readonly ring = (): KeyRing => this.#ring;

  get isFromFile(): boolean {
    return this.#file !== undefined;
  }

  /** Reads the file again. Throws as `fromFile` does, and keeps the ring that it has. */
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
