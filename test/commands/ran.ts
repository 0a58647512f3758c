import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { expect } from 'chai';
import { root, withHoldfast } from './holdfast.js';

/** The part of the JSON contract that these tests read. */
export interface Result {
  readonly schema: number;
  readonly runs: readonly {
    readonly mode: string;
    readonly verdict: string;
    readonly users: Record<string, number>;
    readonly writes: Record<string, number>;
    readonly requests: Record<string, number>;
    readonly faults: readonly { readonly confirmedMs: number | null; readonly healedMs: number | null }[];
    readonly expectations: readonly { readonly text: string; readonly met: boolean }[];
  }[];
}

export interface Finished {
  readonly code: number | null;
  readonly result: Result;
  readonly text: string;
  readonly plan: string;
}

export async function runScenario(file: string, ...args: readonly string[]): Promise<Finished> {
  return withHoldfast(['run', file, '--json', 'out.json', ...args], async holdfast => {
    const code = await holdfast.ended();
    const text = holdfast.output.stdout + holdfast.output.stderr;
    expect(await holdfast.children(), text).to.deep.equal([]);
    expect(await holdfast.temporaryFiles(), text).to.deep.equal([]);
    const json = await readFile(path.join(holdfast.folder, 'out.json'), 'utf8').catch(() => '{"runs":[]}');
    const result: Result = JSON.parse(json);
    const [, report = ''] = /report: (.*)\n/.exec(holdfast.output.stdout) ?? [];
    const plan = await readFile(path.join(holdfast.folder, path.dirname(report), 'plan.json'), 'utf8').catch(() => '');
    return { code, result, text, plan };
  });
}

/** Builds a short scenario. `env` is a defect of the shop; `faults` and `expectations` are YAML lines. */
export const short = (env: string, faults: string, expectations: string, think = '60ms') => `
name: short
why: a test
seed: 3
modes: [sticky, redis]
system:
  backends: { count: 2${env === '' ? '' : `, env: { SHOP_DEFECT: ${env} }`} }
  proxy: { health: { every: 200ms, timeout: 200ms, fall: 2, rise: 2 } }
users:
  arrivals: { rate: 40/s, for: 500ms, process: uniform, max-active: 100 }
  think: { median: ${think}, p95: ${think === '60ms' ? '150ms' : think} }
  timeout: 2s
  journey: shop
phases: { warmup: 100ms, baseline: 500ms, faults: 1200ms, recovery: 200ms, quiesce: 100ms }
faults: ${faults}
expect:
  any:
${expectations}
`;

export async function runText(text: string, ...args: readonly string[]): Promise<Finished> {
  return runScenario(await written(text), ...args);
}

let files = 0;

export async function written(text: string): Promise<string> {
  const file = path.join(root, 'dist', `short-${process.pid}-${++files}.yaml`);
  await writeFile(file, text);
  return file;
}
