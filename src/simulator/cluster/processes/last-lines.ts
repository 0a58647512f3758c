import { Socket } from 'node:net';
import type { Readable } from 'node:stream';

/** Last lines that a process printed, for the message that says why it did not boot. */
export class LastLines {
  readonly #lines: string[] = [];
  readonly #linesMax: number;

  constructor(linesMax: number, streams: readonly Readable[]) {
    this.#linesMax = linesMax;
    for (const stream of streams) onLine(stream, line => this.#add(line));
  }

  /** Returns the lines, each after `prefix`. Empty when the process printed nothing. */
  text(prefix: string): string {
    return this.#lines.map(line => `${prefix}${line}\n`).join('');
  }

  #add(line: string): void {
    if (line.trim() === '') return;
    this.#lines.push(line.slice(0, 500));
    if (this.#lines.length > this.#linesMax) this.#lines.shift();
  }
}

/** Longest line that is kept. A process could print gigabytes without a line end. */
const lineCharactersMax = 10_000;

export function onLine(input: Readable, use: (line: string) => void): void {
  let begun = '';
  const end = () => {
    if (begun !== '') use(begun.replace(/\r$/, ''));
    begun = '';
  };
  input.setEncoding('utf8');
  input.on('data', (text: string) => {
    const [first = '', ...others] = text.split('\n');
    begun = (begun + first).slice(0, lineCharactersMax);
    for (const line of others) {
      end();
      begun = line.slice(0, lineCharactersMax);
    }
  });
  input.once('end', end);
}

/**
 * Keeps the output streams of an ended process from holding the event loop open. Processes that it left behind can keep
 * the streams open. They are still read.
 */
export function unrefStreams(streams: readonly Readable[]): void {
  for (const stream of streams) if (stream instanceof Socket) stream.unref();
}
