import { readFileSync, unwatchFile, watchFile } from 'node:fs';
import { messageOf } from '../../shared/error-message.js';
import { parseYaml } from '../../simulator/scenario/yaml.js';
import { UsageError } from '../lib/errors.js';

/** How often the file is looked at. */
const lookMs = 500;
/** The file is read when it has not changed for this long: a program may still be writing it. */
const settledMs = 1000;

/**
 * Reads a YAML list of backends, each written as for `--backend`. `check` throws for a wrong one. Throws `UsageError`
 * when the file cannot be read, and `ScenarioError` with file and line for wrong content.
 */
export function readBackendsFile(file: string, check: (text: string) => void): readonly string[] {
  const yaml = parseYaml(readText(file), file, 'a list of backends');
  const { value } = yaml;
  if (!Array.isArray(value) || value.length === 0)
    throw yaml.refusal([{ path: [], message: 'expected a list of backends, as in "- red=http://10.0.0.1:3001"' }]);
  return value.map((text: unknown, index) => {
    const problem =
      typeof text === 'string' ? findProblem(text, check) : 'expected a text such as http://10.0.0.1:3001';
    if (problem !== undefined) throw yaml.refusal([{ path: [index], message: problem }]);
    return String(text);
  });
}

function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw new UsageError(`--backends-file "${file}": ${messageOf(error)}`);
  }
}

function findProblem(text: string, check: (text: string) => void): string | undefined {
  try {
    check(text);
    return undefined;
  } catch (error) {
    if (error instanceof UsageError) return error.message;
    throw error;
  }
}

/** Calls `onChange` after the file has changed, and no more after `stop`. It also notices a file that was replaced. */
export class FileWatch {
  readonly #onChange: () => void;
  readonly #noticed = (): void => {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(this.#onChange, settledMs).unref();
  };
  #file: string | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(onChange: () => void) {
    this.#onChange = onChange;
  }

  /** Watches this file from now on, and no other. */
  follow(file: string | undefined): void {
    if (file === this.#file) return;
    this.stop();
    this.#file = file;
    if (file !== undefined) watchFile(file, { interval: lookMs, persistent: false }, this.#noticed);
  }

  stop(): void {
    if (this.#file !== undefined) unwatchFile(this.#file, this.#noticed);
    this.#file = undefined;
    clearTimeout(this.#timer);
  }
}
