/** Tests the action and the workflows with GitHub's own parser. action.full.test.ts runs the action. */
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { NoOperationTraceWriter, parseWorkflow } from '@actions/workflow-parser';
import type { parseAction } from '@actions/workflow-parser/actions/index';
import { expect } from 'chai';
import { build } from 'esbuild';
import { parse } from 'yaml';
import { root } from '../commands/holdfast.js';
import { action, type Step, written } from './read-action.js';

interface Parser {
  readonly parseWorkflow: typeof parseWorkflow;
  readonly parseAction: typeof parseAction;
  readonly NoOperationTraceWriter: typeof NoOperationTraceWriter;
}

/** Loads the parser of GitHub. Node.js cannot load its JSON files by itself, so it is bundled. */
async function loadParser(): Promise<Parser> {
  const folder = await mkdtemp(path.join(tmpdir(), 'holdfast-parser-'));
  const outfile = path.join(folder, 'parser.cjs');
  const contents =
    "export * from '@actions/workflow-parser'; export { parseAction } from '@actions/workflow-parser/actions/index';";
  await build({ stdin: { contents, resolveDir: root }, bundle: true, platform: 'node', format: 'cjs', outfile });
  const parser: Parser = createRequire(import.meta.url)(outfile);
  await rm(folder, { recursive: true });
  return parser;
}

/** Returns the workflows of docs/ci.md. */
async function documentedWorkflows(): Promise<string[]> {
  const page = await readFile(path.join(root, 'docs/ci.md'), 'utf8');
  return [...page.matchAll(/^```\w*\n(.*?)^```$/gms)].map(([, text = '']) => text).filter(text => /^jobs:/m.test(text));
}

async function workflowFiles(): Promise<string[]> {
  const folder = path.join(root, '.github/workflows');
  const names = await readdir(folder).catch(() => []);
  return Promise.all(names.map(name => readFile(path.join(folder, name), 'utf8')));
}

describe('the files for GitHub', () => {
  let parser: Parser;
  const mistakes = (kind: 'parseWorkflow' | 'parseAction', content: string) =>
    parser[kind]({ name: 'file.yml', content }, new parser.NoOperationTraceWriter())
      .context.errors.getErrors()
      .map(({ message }) => message);

  before(async function () {
    this.timeout(20_000);
    parser = await loadParser();
  });

  it('are an action without a mistake', () => {
    expect(mistakes('parseAction', written)).to.deep.equal([]);
    expect(mistakes('parseAction', written.replace('shell: bash', 'shel: bash'))).to.have.length(2);
  });

  it('are workflows without a mistake', async () => {
    const workflows = [...(await documentedWorkflows()), ...(await workflowFiles())];
    expect(workflows).to.have.length.at.least(2);
    for (const each of workflows) expect(mistakes('parseWorkflow', each), each).to.deep.equal([]);
    expect(mistakes('parseWorkflow', (workflows[0] ?? '').replace('runs-on', 'run-on'))).to.not.deep.equal([]);
  });

  it('document inputs and outputs that the action has', async () => {
    const text = (await documentedWorkflows()).find(each => each.includes('/holdfast@')) ?? '';
    const jobs: readonly { readonly steps: readonly Step[] }[] = Object.values(parse(text).jobs);
    const step = jobs.flatMap(({ steps }) => steps).find(({ uses = '' }) => uses.includes('/holdfast@'));
    expect(Object.keys(action.inputs)).to.include.members(Object.keys(step?.with ?? {}));
    const read = [...text.matchAll(/steps\.(\w+)\.outputs\.([\w-]+)/g)];
    expect(read.map(([, id]) => id)).to.deep.equal(read.map(() => step?.id));
    expect(read.map(([, , name]) => name)).to.have.members(Object.keys(action.outputs));
  });

  it('never put an input into the text of a script', () => {
    for (const { run } of action.runs.steps) expect(run).to.not.include('${{');
  });
});
