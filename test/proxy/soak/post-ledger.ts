/** Which POSTs were carried out, by the backends' own word, and which were acknowledged to their clients. */
export class PostLedger {
  readonly #executed = new Map<string, string>();
  readonly #acknowledged = new Set<string>();
  readonly #notSent = new Set<string>();
  #duplicates: string[] = [];

  /** `where` is the incarnation that says so. */
  executed(token: string, where: string): void {
    const before = this.#executed.get(token);
    if (before !== undefined) this.#duplicates.push(`POST carried out twice: ${token} by ${before} and ${where}`);
    this.#executed.set(token, where);
  }

  acknowledged(token: string): void {
    this.#acknowledged.add(token);
  }

  /** The proxy said that no backend saw it. */
  notSent(token: string): void {
    this.#notSent.add(token);
  }

  get count(): number {
    return this.#executed.size;
  }

  /** At the end, when every backend has told all. */
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
