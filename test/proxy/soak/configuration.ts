import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import type { SoakBackend } from './fleet.js';

/** Cookies are re-signed within minutes; a key must live longer than that. */
const keysMax = 5;
const writesPerKey = 6;
const policies = ['round-robin', 'least-connections', 'random'];

/**
 * The proxy's configuration files. Each write changes the policy, and some writes add a key at the head of the ring.
 */
export class Configuration {
  readonly file: string;
  readonly #secrets: string;
  readonly #fleet: readonly SoakBackend[];
  readonly #without = new Set<string>();
  #keys: string[] = [];
  #written = 0;

  constructor(folder: string, fleet: readonly SoakBackend[]) {
    this.file = path.join(folder, 'proxy.yaml');
    this.#secrets = path.join(folder, 'secrets');
    this.#fleet = fleet;
  }

  /** Leaves out the backend of that name from the next `write` on. */
  leaveOut(name: string): void {
    this.#without.add(name);
  }

  takeIn(name: string): void {
    this.#without.delete(name);
  }

  write(): void {
    if (this.#written % writesPerKey === 0) this.#addKey();
    this.#written += 1;
    const backends = this.#fleet.filter(({ name }) => !this.#without.has(name));
    const lines = [
      `policy: ${policies[this.#written % policies.length]}`,
      'secrets-file: secrets',
      'backend:',
      ...backends.map(({ name, url }) => `  - ${name}=${url}`),
    ];
    writeFileSync(this.file, `${lines.join('\n')}\n`);
  }

  #addKey(): void {
    const key = `k${this.#written}:${randomBytes(32).toString('hex')}`;
    this.#keys = [key, ...this.#keys].slice(0, keysMax);
    writeFileSync(this.#secrets, this.#keys.join(','), { mode: 0o600 });
  }
}
