/** Records which POSTs the backends carried out, and which were acknowledged to clients. */
export class PostLedger {
  readonly #executed = new Map<string, string>();
  readonly #acknowledged = new Set<string>();
  readonly #notSent = new Set<string>();
  #duplicates: string[] = [];

  /** `where` is the incarnation that reports it. */
  executed(token: string, where: string): void {
    const before = this.#executed.get(token);
    if (before !== undefined) this.#duplicates.push(`POST carried out twice: ${token} by ${before} and ${where}`);
    this.#executed.set(token, where);
  }

  acknowledged(token: string): void {
    this.#acknowledged.add(token);
  }

  /** The proxy said that no backend received it. */
  notSent(token: string): void {
    this.#notSent.add(token);
  }

  get count(): number {
    return this.#executed.size;
  }

  /** Called at the end, when every backend has reported everything. */
  offences(): string[] {
    const lost = [...this.#acknowledged].filter(token => !this.#executed.has(token));
    const sent = [...this.#notSent].filter(token => this.#executed.has(token));
    return [
      ...this.#duplicates,
      ...lost.map(token => `POST acknowledged and not carried out: ${token}`),
      ...sent.map(token => `POST carried out, and said not to be sent: ${token}`),
    ];
  }
}
