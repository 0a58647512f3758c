import { readdirSync } from 'node:fs';
import path from 'node:path';
import { packageFile } from './package.js';

const folder = packageFile('scenarios');

/** The names of the scenarios that come with Holdfast, in alphabetical order. */
export const shippedScenarios: readonly string[] = readdirSync(folder)
  .filter(file => file.endsWith('.yaml'))
  .map(file => path.basename(file, '.yaml'))
  .sort();

/** The folder with a folder for each shipped preset of a proxy. */
export const presetFolder = packageFile('examples/proxies');

/** Returns the names of the presets that are shipped. */
export function presetNames(): readonly string[] {
  const entries = readdirSync(presetFolder, { withFileTypes: true });
  return entries.filter(entry => entry.isDirectory()).map(({ name }) => name);
}

/** Returns the file of a shipped scenario. */
export function shippedScenarioFile(name: string): string {
  return path.join(folder, `${name}.yaml`);
}
