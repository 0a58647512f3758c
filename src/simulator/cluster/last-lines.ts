import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';

/** The last lines that a process printed, for the message that says why it did not boot. */
export class LastLines {
  readonly #lines: string[] = [];
  readonly #linesMax: number;

  constructor(linesMax: number, streams: readonly Readable[]) {
    this.#linesMax = linesMax;
    for (const stream of streams) onLine(stream, line => this.#add(line));
  }

  /** One line each, behind `prefix`; empty when it said nothing. */
  text(prefix: string): string {
    return this.#lines.map(line => `${prefix}${line}\n`).join('');
  }

  #add(line: string): void {
    if (line.trim() === '') return;
    this.#lines.push(line.slice(0, 500));
    if (this.#lines.length > this.#linesMax) this.#lines.shift();
  }
}

export function onLine(input: Readable, use: (line: string) => void): void {
  createInterface({ input, crlfDelay: Infinity }).on('line', use);
}
