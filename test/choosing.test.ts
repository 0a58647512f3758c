import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { expect } from 'chai';
import { attacks } from '#src/attacks/attacks/registry.js';
import { isModeName, modeNames } from '#src/modes.js';

const root = path.resolve(import.meta.dirname, '../..');
const page = readFileSync(path.join(root, 'docs/choosing.md'), 'utf8');

/** The rows that state something: need, who gives it, who does not, the command that shows it. */
const statements = [...page.matchAll(/^\| (.+) \|$/gm)]
  .map(match => (match[1] ?? '').split(' | '))
  .filter(([need]) => need !== 'you need' && need?.startsWith('-') === false);

const commands = statements.map(cells => /`node dist\/cli\.js ([^`]+)`/.exec(cells.at(-1) ?? '')?.[1] ?? '');

describe('docs/choosing.md', () => {
  it('states a good deal, and shows each statement by a command', () => {
    expect(statements.length).to.be.greaterThan(15);
    expect(statements.filter((_, at) => commands[at] === '')).to.deep.equal([]);
  });

  it('runs scenarios that exist and attacks that are registered', () => {
    const words = commands.flatMap(command => command.split(' '));
    const files = words.filter(word => word.endsWith('.yaml'));
    expect(files.length).to.be.greaterThan(5);
    expect(files.filter(file => !existsSync(path.join(root, file)))).to.deep.equal([]);
    const struck = commands.flatMap(command => /--attack ([\w,-]+)/.exec(command)?.[1]?.split(',') ?? []);
    expect(struck.length).to.be.greaterThan(5);
    expect(struck.filter(name => !Object.hasOwn(attacks, name))).to.deep.equal([]);
    const modes = commands.flatMap(command => /--mode ([\w,-]+)/.exec(command)?.[1]?.split(',') ?? []);
    expect(modes.filter(name => !isModeName(name))).to.deep.equal([]);
  });

  it('has a place for every mode in every statement', () => {
    for (const [need = '', gives = '', gives_not = ''] of statements) {
      const isAll = gives.startsWith('all');
      const named = modeNames.filter(mode => `${gives} ${gives_not}`.includes(`\`${mode}\``));
      if (!isAll && !gives_not.startsWith('all others')) expect(named, need).to.have.members(modeNames);
    }
  });
});
