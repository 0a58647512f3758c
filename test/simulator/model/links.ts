import type { Random } from '#src/simulator/plan/random.js';

/** The faults of a link. A healthy link has none. */
export interface LinkTrouble {
  readonly cut?: 'both' | 'forward' | 'back';
  readonly latencyMs?: number;
  readonly jitterMs?: number;
  /** Answers are cut off after this many bytes, by a reset or a regular end. */
  readonly breakAfterBytes?: number;
  /** `dropped`: the kernel sends them again after the healing. `refused`: a new connection fails at once. */
  readonly packets?: 'dropped' | 'refused';
}

/** A connection between two members. Its name is `from->to`. */
export class ModelLink {
  trouble: LinkTrouble = {};
  lostBytes = 0;
  brokenAnswers = 0;
  /** Called when the link is healed, to reset connections that lost bytes, or to send dropped packets again. */
  readonly #onHealed: (() => void)[] = [];

  isCut(way: 'forward' | 'back'): boolean {
    const { cut } = this.trouble;
    return cut === 'both' || cut === way;
  }

  /** Counts lost bytes. `onHealed` is called when the link is healed. */
  lose(bytes: number, onHealed?: () => void): void {
    this.lostBytes += bytes;
    if (onHealed !== undefined) this.#onHealed.push(onHealed);
  }

  delayMs(random: Random): number {
    const { latencyMs = 0, jitterMs = 0 } = this.trouble;
    return latencyMs === 0 ? 0 : Math.max(0, latencyMs + (2 * random() - 1) * jitterMs);
  }

  heal(): void {
    this.trouble = {};
    for (const onHealed of this.#onHealed.splice(0)) onHealed();
  }
}

/** The links of a system. Each is made when it is first used. */
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
