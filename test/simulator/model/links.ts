import type { Random } from '#src/simulator/plan/random.js';

/** What is wrong with a link. Nothing of it applies to one that is well. */
export interface LinkTrouble {
  readonly cut?: 'both' | 'forward' | 'back';
  readonly latencyMs?: number;
  readonly jitterMs?: number;
  /** Answers of more bytes are broken off there: by a reset, or by an end in good order. */
  readonly breakAfterBytes?: number;
}

/** A connection between two members, by its name `from->to`. */
export class ModelLink {
  trouble: LinkTrouble = {};
  lostBytes = 0;
  brokenAnswers = 0;
  /** Called when the link is well again: connections that lost bytes are reset. */
  readonly #onHealed: (() => void)[] = [];

  isCut(way: 'forward' | 'back'): boolean {
    const { cut } = this.trouble;
    return cut === 'both' || cut === way;
  }

  /** Bytes that the link swallowed; `reset` is called when it is well again. */
  lose(bytes: number, reset?: () => void): void {
    this.lostBytes += bytes;
    if (reset !== undefined) this.#onHealed.push(reset);
  }

  delayMs(random: Random): number {
    const { latencyMs = 0, jitterMs = 0 } = this.trouble;
    return latencyMs === 0 ? 0 : Math.max(0, latencyMs + (2 * random() - 1) * jitterMs);
  }

  heal(): void {
    this.trouble = {};
    for (const reset of this.#onHealed.splice(0)) reset();
  }
}

/** The links of a system, made when they are first asked for. */
export class ModelLinks {
  readonly #links = new Map<string, ModelLink>();

  get(name: string): ModelLink {
    const known = this.#links.get(name);
    if (known !== undefined) return known;
    const link = new ModelLink();
    this.#links.set(name, link);
    return link;
  }

  find(name: string): ModelLink | undefined {
    return this.#links.get(name);
  }
}
