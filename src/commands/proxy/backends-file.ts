import { readFileSync } from 'node:fs';
import { messageOf } from '../../shared/error-message.js';
import { parseYaml } from '../../simulator/scenario/yaml.js';
import { UsageError } from '../lib/errors.js';

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
