import { expect } from 'chai';
import { type Attack, type AttackResult, notApplicable, Tries } from '#src/attacks/attack.js';
import { renderEvidence } from '#src/attacks/evidence.js';
import { type Finding, judge, judgeAll, renderAttackJson } from '#src/attacks/finding.js';
import { type PlannedSystem, planSystems, runAttacks } from '#src/attacks/run-attacks.js';
import type { System } from '#src/attacks/start-system.js';
import { Inconclusive } from '#src/attacks/tools/browser.js';
import { weakVariants } from '#src/attacks/weak-variants.js';
import { renderAttackReport } from '#src/commands/attack.js';
import { exitCodeOf } from '#src/commands/lib/exit.js';
import { Interrupted, LabError } from '#src/simulator/errors.js';
import { expectRejection } from '../sessions/expect-rejection.js';

const exchange = { request: ['GET /me HTTP/1.1'], response: ['HTTP/1.1 200 OK'], body: '{"user":"victim"}' };

/** Makes an attack that only runs `run`. */
function attackThat(run: () => Promise<AttackResult>, more: Partial<Attack> = {}): Attack {
  return { title: 'an attack of this test', asvs: ['7.4.1'], probes: { 'a try': ['unended-sessions'] }, run, ...more };
}

const noSuccess = { 'a try': { tries: 3 } };
const resisting = async (): Promise<AttackResult> => {
  return { outcome: 'resisted', tries: 3, lagMs: 12, probes: noSuccess };
};
const success = { reason: 'it went through', exchanges: [exchange] };
const resists = attackThat(resisting);
const succeeds = attackThat(async () => {
  return { outcome: 'succeeded', tries: 2, ...success, probes: { 'a try': { tries: 2, success } } };
});
const cannot = attackThat(async () => {
  throw new Inconclusive('no answer arrived');
});
const errs = attackThat(async () => {
  throw new TypeError('a bug of the attack');
});
const isOutside = attackThat(async () => notApplicable('there is no token'));

/** Fake systems. They only record when they start, heal and stop. */
class SystemLog {
  readonly lines: string[] = [];

  start = async ({ mode, variantName }: PlannedSystem): Promise<System> => {
    const name = variantName ?? mode;
    this.lines.push(`start ${name}`);
    return {
      // These attacks do not use their target.
      target: Object.create(null),
      heal: async () => void this.lines.push(`heal ${name}`),
      stop: async () => void this.lines.push(`stop ${name}`),
    };
  };
}

function runThese(attacks: Record<string, Attack>, log = new SystemLog(), signal = new AbortController().signal) {
  const systems = planSystems(['redis'], attacks);
  return runAttacks({ attacks, systems, start: log.start, signal, onProgress: () => undefined });
}

describe('attacks: tries', () => {
  it('throws Inconclusive when nothing was tried', () => {
    expect(() => new Tries().result()).to.throw(Inconclusive, 'nothing was tried');
  });

  it('counts every try, and reports the first of each probe that succeeded', () => {
    const tries = new Tries();
    const [one, other] = [tries.of('one'), tries.of('other')];
    one.add('the first', false, { exchange });
    other.addMany(10, 'ten more', false);
    const unbroken = { one: { tries: 1 }, other: { tries: 10 } };
    expect(tries.result()).to.deep.equal({ outcome: 'resisted', tries: 11, probes: unbroken });
    one.noteLag(3.4);
    other.noteLag(1);
    expect(tries.result()).to.deep.equal({ outcome: 'resisted', tries: 11, lagMs: 3, probes: unbroken });
    other.add('the second', true, { exchange });
    other.add('the third', true);
    const broken = { reason: 'the second', exchanges: [exchange] };
    expect(tries.result()).to.deep.equal({
      outcome: 'succeeded',
      tries: 13,
      ...broken,
      probes: { one: { tries: 1 }, other: { tries: 12, success: broken } },
    });
  });
});

describe('attacks: unclear answers', () => {
  const answered = (status: number) => ({ exchange, status });

  it('throws Inconclusive for a 503 or an unexpected status, and says what was expected', () => {
    const down = new Tries();
    down.of('one').add('anything', false, answered(200), answered(503));
    expect(() => down.result()).to.throw(
      Inconclusive,
      /^GET \/me HTTP\/1\.1 was answered 503 .*; which refuses nothing$/,
    );
    const gone = new Tries();
    gone.of('one').addRequest('a change', answered(403), 403);
    gone.of('one').addRequest('a change', answered(404), 401, 403);
    expect(() => gone.result()).to.throw(Inconclusive, /was answered 404 .*; expected 401 or 403$/);
  });

  it('reports a success even when another try was unclear', () => {
    const tries = new Tries();
    tries.of('one').addRequest('a change', answered(503), 403);
    tries.of('other').addRequest('another', answered(201), 403);
    expect(tries.result()).to.include({ outcome: 'succeeded', tries: 2, reason: 'another' });
  });
});

describe('attacks: the plan', () => {
  const attacks = {
    quick: resists,
    patient: attackThat(resisting, { shortLimits: true, probes: { 'a try': ['endless-sessions'] } }),
  };

  it('runs every attack in every mode, and on each weak variant the attacks that must succeed there', () => {
    const plan = planSystems(['sticky', 'redis'], attacks);
    const lines = plan.map(system => {
      const { mode, variantName = 'full', shortLimits, attacks: names } = system;
      return `${mode} ${variantName}${shortLimits ? ' short' : ''}: ${names.join()}`;
    });
    expect(lines).to.deep.equal([
      'sticky full: quick',
      'sticky full short: patient',
      'redis full: quick',
      'redis full short: patient',
      'redis unended-sessions: quick',
      'redis endless-sessions short: patient',
    ]);
  });

  it('contains no weak variant of a mode that was not selected', () => {
    expect(planSystems(['sticky'], attacks).every(({ variant }) => variant === undefined)).to.equal(true);
  });
});

describe('attacks: the run', () => {
  it('returns findings in the order of the plan; an attack that throws is inconclusive and stops no other', async () => {
    const findings = await runThese({ resists, succeeds, cannot, errs, isOutside });
    const strong = findings.filter(({ variant }) => variant === undefined);
    const weak = findings.filter(({ variant }) => variant !== undefined);
    expect(strong.map(({ attack, result }) => `${attack}: ${result.outcome}`)).to.deep.equal([
      'resists: resisted',
      'succeeds: succeeded',
      'cannot: inconclusive',
      'errs: inconclusive',
      'isOutside: not applicable',
    ]);
    expect(strong.map(judge)).to.deep.equal(['pass', 'fail', 'inconclusive', 'inconclusive', 'pass']);
    expect(weak.map(judge)).to.deep.equal(['fail', 'pass', 'inconclusive', 'inconclusive', 'fail']);
    expect(strong[2]?.result).to.deep.equal({ outcome: 'inconclusive', reason: 'no answer arrived' });
    expect(JSON.stringify(strong[3]?.result)).to.include('a bug of the attack').and.to.include('run-attacks.test');
  });

  it('runs attacks that affect every user last and one by one, and heals the system after each', async () => {
    const log = new SystemLog();
    const note = (word: string, alone?: true) =>
      attackThat(
        async () => {
          log.lines.push(word);
          return resisting();
        },
        alone === undefined ? {} : { alone },
      );
    const attacks = { first: note('kills', true), second: note('ends all', true), third: note('looks') };
    const [full] = planSystems(['redis'], attacks);
    if (full === undefined) throw new Error('nothing was planned');
    const { signal } = new AbortController();
    await runAttacks({ attacks, systems: [full], start: log.start, signal, onProgress: () => undefined });
    const expected = ['start redis', 'looks', 'kills', 'heal redis', 'ends all', 'heal redis', 'stop redis'];
    expect(log.lines).to.deep.equal(expected);
  });

  it('stops every other system and rejects when a system does not start', async () => {
    const log = new SystemLog();
    const start = async (system: PlannedSystem) => {
      if (system.variantName !== undefined) throw new LabError('backend-1 did not boot');
      return log.start(system);
    };
    const systems = planSystems(['redis'], { resists });
    const signal = new AbortController().signal;
    const run = runAttacks({ attacks: { resists }, systems, start, signal, onProgress: () => undefined });
    await expectRejection(run, LabError);
    expect(log.lines).to.deep.equal(['start redis', 'stop redis']);
  });

  it('stops every system when it is interrupted', async () => {
    const log = new SystemLog();
    const controller = new AbortController();
    const endless = attackThat(async () => {
      controller.abort();
      return new Promise<never>(() => undefined);
    });
    await expectRejection(runThese({ endless }, log, controller.signal), Interrupted);
    const count = (word: string) => log.lines.filter(line => line.startsWith(word)).length;
    expect(count('stop')).to.equal(count('start')).and.to.be.greaterThan(0);
  });
});

describe('attacks: reports', () => {
  const attacks = { resists, succeeds, cannot, isOutside };
  const found = (attack: keyof typeof attacks, result: Finding['result'], variant?: 'unended-sessions'): Finding => {
    return { attack, mode: 'redis', variant, mustSucceed: variant === undefined ? [] : ['a try'], result };
  };
  const proof: Finding['result'] = {
    outcome: 'succeeded',
    tries: 2,
    reason: 'it went | through',
    exchanges: [exchange],
    probes: { 'a try': { tries: 2, success: { reason: 'it went | through', exchanges: [exchange] } } },
  };
  const resisted: Finding['result'] = { outcome: 'resisted', tries: 3, lagMs: 12, probes: noSuccess };
  const findings = [
    found('resists', resisted),
    found('succeeds', proof),
    found('cannot', { outcome: 'inconclusive', reason: 'no answer arrived' }),
    found('isOutside', { outcome: 'not applicable', reason: 'there is no token' }),
    found('succeeds', proof, 'unended-sessions'),
    found('resists', resisted, 'unended-sessions'),
  ];

  it('prints the table, the weak variants, the reasons, and the proof of each success at full strength', () => {
    const text = renderAttackReport(attacks, findings, { colour: false, columns: 200 });
    for (const line of [
      /│ resists +│ resisted +│/,
      /│ succeeds +│ SUCCEEDED +│/,
      /│ cannot +│ inconclusive │/,
      /│ isOutside +│ n\/a +│/,
      /^weak: redis, unended-sessions \(.*\): falls to succeeds; does not fall to resists, "a try" \(resisted\)$/m,
      /^not run on a weak variant \(add --mode redis\): cannot, isOutside$/m,
      /^redis: ended sessions were still accepted for at most 12 ms$/m,
      /^redis: inconclusive: no answer arrived \(cannot\)$/m,
      /^redis: not applicable: there is no token \(isOutside\)$/m,
      /^fail: at full strength 1 succeeded, 1 resisted; 1 not applicable; on weak variants 1 of 2 probes succeeded \(all must\); 1 inconclusive$/m,
      /^SUCCEEDED: succeeds in redis: it went \| through$/m,
      / {2}> GET \/me HTTP\/1.1\n {2}< HTTP\/1.1 200 OK\n {2}< \{"user":"victim"\}/,
    ])
      expect(text).to.match(line);
    expect(text).not.to.include('\u001b');
    expect(renderAttackReport(attacks, findings, { colour: true, columns: 200 })).to.include('\u001b');
  });

  it('writes JSON of schema 1: one entry per finding, with variant null at full strength', () => {
    const { schema, attacks: lines } = JSON.parse(renderAttackJson(attacks, findings));
    expect(schema).to.equal(1);
    expect(lines[0]).to.deep.equal({
      attack: 'resists',
      title: 'an attack of this test',
      asvs: ['7.4.1'],
      mode: 'redis',
      variant: null,
      outcome: 'resisted',
      tries: 3,
      lagMs: 12,
      probes: noSuccess,
    });
    expect(lines[1]).to.include({ outcome: 'succeeded', tries: 2, reason: 'it went | through' });
    expect(lines[1].exchanges).to.deep.equal([exchange]);
    expect(lines[3]).to.include({ outcome: 'not applicable', tries: 0, reason: 'there is no token' });
    expect(lines[4]).to.include({ variant: 'unended-sessions' });
  });

  it('writes the evidence in the order of the requirements, and the same text for the same findings', () => {
    const numbered = { ...attacks, resists: attackThat(resisting, { asvs: ['RFC 9700', '7.10.1', '7.2.1'] }) };
    const text = renderEvidence(numbered, findings);
    const ids = [...text.matchAll(/^\| (7\.\S+|RFC \d+) \| `(\w+)`/gm)].map(([, id, name]) => `${id} ${name}`);
    expect(ids).to.deep.equal([
      '7.2.1 resists',
      '7.4.1 succeeds',
      '7.4.1 cannot',
      '7.4.1 isOutside',
      '7.10.1 resists',
      'RFC 9700 resists',
    ]);
    expect(text).to.include('| `resists` | resisted (3) |').and.to.include('| `succeeds` | **SUCCEEDED** |');
    expect(text).to.include(
      '| `succeeds` | a try | `unended-sessions` | it went \\| through | 200 OK `{"user":"victim"}` | 2 |',
    );
    expect(text).to.include(`| \`unended-sessions\` | \`redis\` | ${weakVariants['unended-sessions'].summary} |`);
    expect(text).to.include('- `isOutside` in `redis`: there is no token');
    expect(text).to.include('## Inconclusive\n\n- `cannot` in `redis`: no answer arrived\n');
    expect(renderEvidence(numbered, findings)).to.equal(text);
  });

  const outside: Finding['result'] = { outcome: 'not applicable', reason: 'there is no token' };
  const codes: [string, readonly Finding[], number][] = [
    ['no selected attack is applicable', [found('isOutside', outside)], 2],
    ['one attack is not applicable and one is resisted', [found('isOutside', outside), found('resists', resisted)], 0],
    ['an attack is not applicable to its weak variant', [found('isOutside', outside, 'unended-sessions')], 1],
    ['all pass', [found('resists', resisted), found('succeeds', proof, 'unended-sessions')], 0],
    ['an attack succeeds at full strength', [found('resists', resisted), found('succeeds', proof)], 1],
    ['a weak variant resists its attack', [found('resists', resisted, 'unended-sessions')], 1],
    ['an attack is inconclusive', [found('cannot', { outcome: 'inconclusive', reason: '' })], 2],
    ['one attack fails and another is inconclusive', findings, 1],
    ['there are no findings', [], 2],
  ];
  for (const [what, which, code] of codes) {
    it(`exits with ${code} when ${what}`, () => expect(exitCodeOf(judgeAll(which))).to.equal(code));
  }
});
