import { readFileSync } from 'node:fs';
import { expect } from 'chai';
import { attacks } from '#src/attacks/attacks/registry.js';
import { readStableCells, renderSuccesses, seenHeading } from '#src/attacks/evidence.js';
import { type Finding, judge, probesThatFailed } from '#src/attacks/finding.js';
import { type PlannedSystem, planSystems, runAttacks } from '#src/attacks/run-attacks.js';
import { startSystem } from '#src/attacks/start-system.js';
import { weakVariantNames } from '#src/attacks/weak-variants.js';
import { modeNames } from '#src/modes.js';
import { packageFile } from '#src/shared/package.js';

/** The reason with which a probe must succeed: its own weakness, not another one that was planted beside it. */
const ownReasons: Readonly<Record<string, RegExp>> = {
  'a guessed key': /^the key (derived from )?"secret"/,
  'a published key': /^HS256 with the PEM/,
  'a certificate in x5c': /^x5c for RS256/,
  'another version': /^a changed token|^version "v0"/,
};

describe('attacks: the probes on every system with a planted weakness', () => {
  let findings: readonly Finding[] = [];
  const systems = planSystems(modeNames, attacks).filter(({ variantName }) => variantName !== undefined);

  before(async function () {
    this.timeout(120_000);
    const { signal } = new AbortController();
    const start = (system: PlannedSystem) => startSystem(system, signal);
    findings = await runAttacks({ attacks, systems, start, signal, onProgress: () => undefined });
  });

  for (const variant of weakVariantNames)
    it(`all succeed on ${variant}`, () => {
      const here = findings.filter(finding => finding.variant === variant);
      const failed = here.filter(finding => judge(finding) !== 'pass').map(describeFailure);
      expect(failed).to.deep.equal([]);
      expect(here).not.to.deep.equal([]);
    });

  it('succeed by their own weakness', () => {
    for (const { result } of findings)
      for (const [name, { success }] of Object.entries('probes' in result ? result.probes : {}))
        if (success !== undefined) expect(success.reason).to.match(ownReasons[name] ?? /./);
  });

  it('are in docs/evidence.md with the answer in which each succeeded', () => {
    const [, section = ''] = readFileSync(packageFile('docs/evidence.md'), 'utf8').split(`${seenHeading}\n`);
    const [, table = ''] = /\n(\|[\s\S]*?)\n\n/.exec(section) ?? [];
    const cells = systems.flatMap(({ attacks: here, variantName }) =>
      here.map(attack => [`| \`${attack}\` |`, `| \`${variantName}\` |`] as const),
    );
    const isHere = (row: string, at: number) =>
      at < 2 || cells.some(([attack, variant]) => row.startsWith(attack) && row.includes(variant));
    const stable = (rows: readonly string[]) => rows.map(readStableCells);
    expect(
      stable(table.split('\n').filter(isHere)),
      'Write it again: node dist/cli.js attack --markdown docs/evidence.md',
    ).to.deep.equal(stable(renderSuccesses(findings)));
  });

  it('include every probe of every attack', () => {
    const seen = findings.flatMap(finding =>
      finding.mustSucceed
        .filter(name => !probesThatFailed(finding).includes(name))
        .map(name => `${finding.attack}: ${name}`),
    );
    const all = Object.entries(attacks).flatMap(([name, { probes }]) =>
      Object.keys(probes).map(probe => `${name}: ${probe}`),
    );
    expect([...new Set(seen)].sort()).to.deep.equal(all.sort());
  });
});

function describeFailure(finding: Finding): string {
  const { attack, result } = finding;
  const why = result.outcome === 'inconclusive' || result.outcome === 'not applicable' ? result.reason : result.outcome;
  return `${attack}: ${probesThatFailed(finding).join(', ')} (${why})`;
}
