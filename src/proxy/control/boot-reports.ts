/** Reports a new boot of a backend. `changes`: how often it changed since the last report. */
type OnBoot = (backend: string, incarnation: string, changes: number) => void;

interface Recent {
  incarnation: string;
  /** Changes that were not reported yet. */
  changes: number;
  timer: NodeJS.Timeout;
}

/**
 * Limits the reports of new boots: the first is passed on at once, further ones of the same backend once per interval
 * with their number. A backend may give another name in every answer, and each report costs a line.
 */
export class BootReports {
  readonly #everyMs: number;
  readonly #onBoot: OnBoot;
  readonly #recent = new Map<string, Recent>();

  constructor(everyMs: number, onBoot: OnBoot) {
    this.#everyMs = everyMs;
    this.#onBoot = onBoot;
  }

  add(backend: string, incarnation: string): void {
    const recent = this.#recent.get(backend);
    if (recent === undefined) {
      this.#recent.set(backend, { incarnation, changes: 0, timer: this.#schedule(backend) });
      this.#onBoot(backend, incarnation, 1);
    } else {
      recent.incarnation = incarnation;
      recent.changes += 1;
    }
  }

  close(): void {
    for (const { timer } of this.#recent.values()) clearTimeout(timer);
    this.#recent.clear();
  }

  #schedule(backend: string): NodeJS.Timeout {
    return setTimeout(() => this.#report(backend), this.#everyMs).unref();
  }

  #report(backend: string): void {
    const recent = this.#recent.get(backend);
    if (recent === undefined || recent.changes === 0) return void this.#recent.delete(backend);
    const { incarnation, changes } = recent;
    recent.changes = 0;
    recent.timer = this.#schedule(backend);
    this.#onBoot(backend, incarnation, changes);
  }
}
