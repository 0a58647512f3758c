import { type Stats, statSync } from 'node:fs';
import path from 'node:path';
import { shippedScenarioFile, shippedScenarios } from '../../shared/shipped-files.js';
import { unknownName } from '../../shared/unknown-name.js';
import { UsageError } from './errors.js';

/**
 * Returns the file of the scenario that a word of the command line names. An existing file is taken. Otherwise a word
 * without a slash and without `.yaml` is the name of a shipped scenario. Throws `UsageError` for an unknown name. A path
 * to nothing is returned as it is: reading it says what is wrong.
 */
export function findScenario(given: string): string {
  if (isFile(given)) return given;
  const name = path.basename(given).replace(/\.ya?ml$/, '');
  const isShipped = shippedScenarios.includes(name);
  if (given === name) {
    if (isShipped) return shippedScenarioFile(name);
    throw new UsageError(describeUnknown(given));
  }
  if (isShipped && statOf(given) === undefined)
    throw new UsageError(`"${given}" does not exist. For the shipped scenario type its name: ${name}`);
  return given;
}

function describeUnknown(given: string): string {
  const own = [`${given}.yaml`, `${given}.yml`].find(isFile);
  if (own !== undefined) return `unknown scenario "${given}". Did you mean the file "${own}"?`;
  return `${unknownName('scenario', given, shippedScenarios)} For a scenario of yours give its file, such as my-app.yaml.`;
}

function isFile(given: string): boolean {
  // A pipe is a file too, as in run <(make-scenario).
  return statOf(given)?.isDirectory() === false;
}

function statOf(given: string): Stats | undefined {
  try {
    return statSync(given);
  } catch {
    return undefined;
  }
}
