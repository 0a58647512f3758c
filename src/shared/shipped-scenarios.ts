import { readdirSync } from 'node:fs';
import path from 'node:path';
import { packageFile } from './package-file.js';

const folder = packageFile('scenarios');

/** The names of the scenarios that come with Holdfast, in alphabetical order. */
export const shippedScenarios: readonly string[] = readdirSync(folder)
  .filter(file => file.endsWith('.yaml'))
  .map(file => path.basename(file, '.yaml'))
  .sort();

/** Returns the file of a shipped scenario. */
export function shippedScenarioFile(name: string): string {
  return path.join(folder, `${name}.yaml`);
}
