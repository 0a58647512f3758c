import path from 'node:path';
import { expect } from 'chai';
import { askedModesOf, describeNotApplicable } from '#src/commands/lib/asked-scenario.js';
import { parseModes } from '#src/commands/lib/flags.js';
import { readScenario } from '#src/simulator/scenario/file.js';
import { root } from '../holdfast.js';
import { commandLine } from '../in-process.js';

const outage = path.join(root, 'scenarios/redis-outage.yaml');

const badOption: readonly (readonly [given: string, said: RegExp])[] = [
  ['redi', /unknown mode "redi"\. Did you mean "redis"\? Known: .*\.$/],
  ['redis.yaml', /unknown mode "redis\.yaml"\..* Put scenario files before --mode\.$/],
];

describe('modes on the command line', () => {
  for (const [given, said] of badOption) it(`refuse ${given}`, () => expect(() => parseModes(given)).to.throw(said));
});

describe('modes in which a fault has no target', () => {
  it('are not run, and are named with the fault', async () => {
    const { modes, notApplicable } = askedModesOf(await readScenario(outage), ['sticky', 'redis', 'postgres']);
    expect(modes).to.deep.equal(['redis']);
    expect(notApplicable.map(describeNotApplicable)).to.deep.equal([
      'sticky: not applicable: mode sticky uses no redis (fault outage strikes redis)',
      'postgres: not applicable: mode postgres uses no redis (fault outage strikes redis)',
    ]);
  });

  it('are refused when the file does not name them at all', async () => {
    const scenario = { ...(await readScenario(outage)), modes: ['redis' as const] };
    expect(() => askedModesOf(scenario, ['jwt'])).to.throw('does not name mode "jwt"; its modes are redis');
  });

  it('end the command with exit 2 when there are no others', async () => {
    const { code, stdout } = await commandLine(['run', outage, '--mode', 'sticky,memcached']);
    expect(code).to.equal(2);
    expect(stdout).to.include('sticky: not applicable: mode sticky uses no redis (fault outage strikes redis)\n');
    expect(stdout).to.match(/^scenario "redis-outage" was not run: .* Try --mode redis,jwt,sealed\.$/m);
  });
});
