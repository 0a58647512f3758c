import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { expect } from 'chai';
import { attacks } from '#src/attacks/attacks/registry.js';
import { isModeName, modeNames } from '#src/modes.js';

const root = path.resolve(import.meta.dirname, '../..');
const page = readFileSync(path.join(root, 'docs/choosing.md'), 'utf8');

/** The rows with a claim: the need, the modes that give it, the modes that do not, the command that shows it. */
const claims = [...page.matchAll(/^\| (.+) \|$/gm)]
  .map(match => (match[1] ?? '').split(' | '))
  .filter(([need]) => need !== 'you need' && need?.startsWith('-') === false);

const commands = claims.map(cells => /`node dist\/cli\.js ([^`]+)`/.exec(cells.at(-1) ?? '')?.[1] ?? '');

describe('docs/choosing.md', () => {
  it('has more than 15 claims, each with a command that shows it', () => {
    expect(claims.length).to.be.greaterThan(15);
    expect(claims.filter((_, at) => commands[at] === '')).to.deep.equal([]);
  });

  it('names only scenarios, attacks and modes that exist', () => {
    const words = commands.flatMap(command => command.split(' '));
    const files = words.filter(word => word.endsWith('.yaml'));
    expect(files.length).to.be.greaterThan(5);
    expect(files.filter(file => !existsSync(path.join(root, file)))).to.deep.equal([]);
    const named = commands.flatMap(command => /--attack ([\w,-]+)/.exec(command)?.[1]?.split(',') ?? []);
    expect(named.length).to.be.greaterThan(5);
    expect(named.filter(name => !Object.hasOwn(attacks, name))).to.deep.equal([]);
    const modes = commands.flatMap(command => /--mode ([\w,-]+)/.exec(command)?.[1]?.split(',') ?? []);
    expect(modes.filter(name => !isModeName(name))).to.deep.equal([]);
  });

  it('names every mode in every claim', () => {
    for (const [need = '', gives = '', givesNot = ''] of claims) {
      const isAll = gives.startsWith('all');
      const named = modeNames.filter(mode => `${gives} ${givesNot}`.includes(`\`${mode}\``));
      if (!isAll && !givesNot.startsWith('all others')) expect(named, need).to.have.members(modeNames);
    }
  });
});
