import { createInterface, type Interface } from 'node:readline';
import type { Question } from '../../record/recording.js';
import { quoteForShell } from '../../shared/text.js';
import { clean } from '../../simulator/scenario/yaml.js';
import { UsageError } from '../lib/flags.js';

/** The lines that the person types. One part of the command reads them at a time. */
export class Terminal {
  readonly #lines: Interface;
  readonly #queue: string[] = [];
  #closed = false;
  #onLine: (line: string) => void = () => {};
  /** Set while `nextLine` waits. */
  #wake: () => void = () => {};

  constructor(input: NodeJS.ReadableStream = process.stdin) {
    // The terminal stays as it is, so that Ctrl-C still sends its signal.
    this.#lines = createInterface({ input, terminal: false });
    this.#lines.on('line', line => this.#onLine(line.trim()));
    this.#lines.on('close', () => {
      this.#closed = true;
      this.#wake();
    });
  }

  /** Calls this function, and no earlier one, with each line. */
  listen(listener: (line: string) => void): void {
    this.#onLine = listener;
  }

  /** Resolves with the next line. From the first call on lines wait in a queue. Undefined: the input has ended. */
  async nextLine(): Promise<string | undefined> {
    this.listen(line => {
      this.#queue.push(line);
      this.#wake();
    });
    while (this.#queue.length === 0 && !this.#closed) await new Promise<void>(resolve => (this.#wake = resolve));
    return this.#queue.shift();
  }

  close(): void {
    this.listen(() => {});
    this.#lines.close();
  }
}

/**
 * Asks a question until a candidate is chosen. Enter takes the first one. Returns the id of the candidate; undefined when
 * there is no terminal.
 */
export async function askQuestion(
  { text, candidates }: Question,
  terminal: Pick<Terminal, 'nextLine'> | undefined,
  write: (text: string) => void,
): Promise<string | undefined> {
  if (terminal === undefined) return undefined;
  write(`\n${clean(text)}\n${candidates.map(({ label }, index) => `  ${index + 1}  ${clean(label)}\n`).join('')}`);
  for (;;) {
    write(`1 to ${candidates.length}, Enter takes 1: `);
    const line = await terminal.nextLine();
    if (line === undefined) return undefined;
    const chosen = candidates[line === '' ? 0 : Number(line) - 1];
    if (chosen !== undefined) return chosen.id;
    write(`found "${line}", expected a number.\n`);
  }
}

/** Returns the candidate that the value of a flag names by its number or its id. Throws `UsageError` for another value. */
export function chooseCandidate(question: Question, given: string): string {
  const { candidates } = question;
  const chosen = candidates.find(({ id }) => id === given) ?? candidates[Number(given) - 1];
  if (chosen !== undefined) return chosen.id;
  throw new UsageError(`--answer: found "${given}". ${describeQuestion(question)}`);
}

/** Says which flags give the answer. */
export function describeQuestion({ id, text, candidates }: Question): string {
  const flags = candidates.map(
    ({ label }, index) => `\n  --answer ${quoteForShell(clean(`${id}=${index + 1}`))}    ${clean(label)}`,
  );
  return `${clean(text)} Give the answer as a flag:${flags.join('')}`;
}
