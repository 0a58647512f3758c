import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { quoteForShell } from './text.js';

/**
 * Returns the path of a file of this package. `inPackage` is relative to the folder of package.json. Programs are
 * packed into few files (`scripts/pack.mjs`), so a module does not run at the path of its source.
 */
export function packageFile(inPackage: string): string {
  return path.join(root, inPackage);
}

/** Reads a file that `scripts/pack.mjs` writes. `tsc -b` alone does not write it, so the error says what to type. */
export function readPackedFile(inPackage: string): string {
  try {
    return readFileSync(packageFile(inPackage), 'utf8');
  } catch (error) {
    if (error instanceof Error) error.message += '. Type: npm run build';
    throw error;
  }
}

const root = findFolderWith('package.json', import.meta.dirname);

function findFolderWith(name: string, folder: string): string {
  return existsSync(path.join(folder, name)) ? folder : findFolderWith(name, path.dirname(folder));
}

const { version }: { version: string } = JSON.parse(readFileSync(packageFile('package.json'), 'utf8'));

/** The version of Holdfast. */
export const ownVersion = version;

/**
 * Returns what a user types to start this program, for texts that say what to type next: `npx holdfast` in a project
 * that installed it, `holdfast` for a global installation, `node dist/cli.js` in a clone.
 */
export function programName(): string {
  return nameProgram(packageFile('.'), process.argv[1] ?? '');
}

/** Returns a command line of this program. Words with blanks or other special characters are quoted for a shell. */
export function commandLine(...words: readonly string[]): string {
  return [programName(), ...words.map(quoteForShell)].join(' ');
}

/** Decides for `programName`. `root` is the folder of package.json. `startedAs` is the path that Node was given. */
export function nameProgram(root: string, startedAs: string): string {
  if (!root.split(path.sep).includes('node_modules')) return 'node dist/cli.js';
  const { name, dir } = path.parse(startedAs);
  // Both start Node with a link: a project has it in node_modules/.bin, a global installation on PATH.
  return name === 'holdfast' && path.basename(dir) !== '.bin' ? 'holdfast' : 'npx holdfast';
}

/** Returns the names of the scenarios that come with Holdfast, in alphabetical order. */
export function shippedScenarioNames(): readonly string[] {
  const files = readdirSync(packageFile('scenarios')).filter(file => file.endsWith('.yaml'));
  return files.map(file => path.basename(file, '.yaml')).sort();
}

/** Returns the file of a shipped scenario. */
export function shippedScenarioFile(name: string): string {
  return packageFile(`scenarios/${name}.yaml`);
}

/** The folder with a folder for each shipped preset of a proxy. */
export const presetFolder = packageFile('examples/proxies');

/** Returns the names of the presets that are shipped. */
export function presetNames(): readonly string[] {
  const entries = readdirSync(presetFolder, { withFileTypes: true });
  return entries.filter(entry => entry.isDirectory()).map(({ name }) => name);
}
