/**
 * Writes scenarios/scenario.schema.json, which editors use to complete scenario files.
 *
 *   npm run schema      (builds first)
 */
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import path from 'node:path';

const root = path.resolve(import.meta.dirname, '..');
const file = path.join(root, 'scenarios/scenario.schema.json');
const { scenarioJsonSchema } = await import('../dist/simulator/scenario/schema.js');

writeFileSync(file, JSON.stringify(scenarioJsonSchema()));
const biome = path.join(root, 'node_modules/@biomejs/biome/bin/biome');
process.exitCode = spawnSync(process.execPath, [biome, 'format', '--write', file], { stdio: 'inherit' }).status ?? 1;
