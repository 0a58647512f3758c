import { expect } from 'chai';
import { type Attack, type AttackResult, notApplicable, Tries } from '#src/attacks/attack.js';
import { Inconclusive } from '#src/attacks/errors.js';
import { evidence } from '#src/attacks/evidence.js';
import { attackJson, type Finding, judge, judgeAll } from '#src/attacks/finding.js';
import { type PlannedSystem, planSystems } from '#src/attacks/plan.js';
import { runAttacks } from '#src/attacks/run-attacks.js';
import type { System } from '#src/attacks/start-system.js';
import { weakVariants } from '#src/attacks/weak-variants.js';
import { attackReport } from '#src/commands/attack-report.js';
import { exitCodeOf } from '#src/commands/lib/exit.js';
import { Interrupted, LabError } from '#src/simulator/errors.js';
import { expectRejection } from '../sessions/expect-rejection.js';

const exchange = { request: ['GET /me HTTP/1.1'], response: ['HTTP/1.1 200 OK'], body: '{"user":"victim"}' };

/** An attack that does no more than its word. */
function attackThat(run: () => Promise<AttackResult>, more: Partial<Attack> = {}): Attack {
  return { title: 'an attack of this test', asvs: ['7.4.1'], weak: ['logout-undone'], run, ...more };
}

const resisting = async (): Promise<AttackResult> => ({ outcome: 'resisted', tries: 3, lagMs: 12 });
const resists = attackThat(resisting);
const succeeds = attackThat(async () => {
  return { outcome: 'succeeded', tries: 2, reason: 'it went through', exchanges: [exchange] };
});
const cannot = attackThat(async () => {
  throw new Inconclusive('nobody answered');
});
const errs = attackThat(async () => {
  throw new TypeError('a mistake of the attack');
});
const isOutside = attackThat(async () => notApplicable('there is no token'));

/** A system of the plan that is only written down: when it starts, heals and stops. */
class Diary {
  readonly lines: string[] = [];

  start = async ({ mode, variantName }: PlannedSystem): Promise<System> => {
    const name = variantName ?? mode;
    this.lines.push(`start ${name}`);
    return {
      // These attacks look at no target.
      target: Object.create(null),
      heal: async () => void this.lines.push(`heal ${name}`),
      stop: async () => void this.lines.push(`stop ${name}`),
    };
  };
}

function runThese(attacks: Record<string, Attack>, diary = new Diary(), signal = new AbortController().signal) {
  const systems = planSystems(['redis'], attacks);
  return runAttacks({ attacks, systems, start: diary.start, signal, onProgress: () => undefined });
}

describe('attacks: tries', () => {
  it('nothing tried is not resisted', () => {
    expect(() => new Tries().result()).to.throw(Inconclusive, 'nothing was tried');
  });

  it('counts every try, and shows the first that went through', () => {
    const tries = new Tries();
    tries.add('the first', false, { exchange });
    tries.addMany(10, 'ten more', false);
    expect(tries.result()).to.deep.equal({ outcome: 'resisted', tries: 11 });
    tries.noteLag(3.4);
    tries.noteLag(1);
    expect(tries.result()).to.deep.equal({ outcome: 'resisted', tries: 11, lagMs: 3 });
    tries.add('the second', true, { exchange });
    tries.add('the third', true);
    expect(tries.result()).to.deep.equal({
      outcome: 'succeeded',
      tries: 13,
      reason: 'the second',
      exchanges: [exchange],
    });
  });
});

describe('attacks: what is no refusal', () => {
  const answered = (status: number) => ({ exchange, status });

  it('a 503 is none, nor one for another reason than expected: inconclusive, with what was expected', () => {
    const down = new Tries();
    down.add('anything', false, answered(200), answered(503));
    expect(() => down.result()).to.throw(
      Inconclusive,
      /^GET \/me HTTP\/1\.1 was answered 503 .*; which refuses nothing$/,
    );
    const gone = new Tries();
    gone.addRequest('a change', answered(403), 403);
    gone.addRequest('a change', answered(404), 401, 403);
    expect(() => gone.result()).to.throw(Inconclusive, /was answered 404 .*; expected 401 or 403$/);
  });

  it('what went through counts all the same', () => {
    const tries = new Tries();
    tries.addRequest('a change', answered(503), 403);
    tries.addRequest('another', answered(201), 403);
    expect(tries.result()).to.include({ outcome: 'succeeded', tries: 2, reason: 'another' });
  });
});

describe('attacks: the plan', () => {
  const attacks = { quick: resists, patient: attackThat(resisting, { shortLimits: true, weak: ['endless-sessions'] }) };

  it('every mode against all, each weak variant of these modes against those that must succeed there', () => {
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
      'redis logout-undone: quick',
      'redis endless-sessions short: patient',
    ]);
  });

  it('no weak variant of a mode that was not asked for', () => {
    expect(planSystems(['sticky'], attacks).every(({ variant }) => variant === undefined)).to.equal(true);
  });
});

describe('attacks: the run', () => {
  it('finds what each attack found, in the order of the plan; one that fails is inconclusive and stops nobody', async () => {
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
    expect(strong[2]?.result).to.deep.equal({ outcome: 'inconclusive', reason: 'nobody answered' });
    expect(JSON.stringify(strong[3]?.result)).to.include('a mistake of the attack').and.to.include('run-attacks.test');
  });

  it('those that strike everyone come last, one by one, and the system is healed after each', async () => {
    const diary = new Diary();
    const note = (word: string, alone?: true) =>
      attackThat(
        async () => {
          diary.lines.push(word);
          return resisting();
        },
        alone === undefined ? {} : { alone },
      );
    const attacks = { first: note('kills', true), second: note('ends all', true), third: note('looks') };
    const [full] = planSystems(['redis'], attacks);
    if (full === undefined) throw new Error('nothing was planned');
    const { signal } = new AbortController();
    await runAttacks({ attacks, systems: [full], start: diary.start, signal, onProgress: () => undefined });
    const expected = ['start redis', 'looks', 'kills', 'heal redis', 'ends all', 'heal redis', 'stop redis'];
    expect(diary.lines).to.deep.equal(expected);
  });

  it('a system that does not start ends the run, and whatever runs beside it is stopped', async () => {
    const diary = new Diary();
    const start = async (system: PlannedSystem) => {
      if (system.variantName !== undefined) throw new LabError('backend-1 did not boot');
      return diary.start(system);
    };
    const systems = planSystems(['redis'], { resists });
    const signal = new AbortController().signal;
    const run = runAttacks({ attacks: { resists }, systems, start, signal, onProgress: () => undefined });
    await expectRejection(run, LabError);
    expect(diary.lines).to.deep.equal(['start redis', 'stop redis']);
  });

  it('an interrupt breaks off what is under way and stops every system', async () => {
    const diary = new Diary();
    const controller = new AbortController();
    const endless = attackThat(async () => {
      controller.abort();
      return new Promise<never>(() => undefined);
    });
    await expectRejection(runThese({ endless }, diary, controller.signal), Interrupted);
    const count = (word: string) => diary.lines.filter(line => line.startsWith(word)).length;
    expect(count('stop')).to.equal(count('start')).and.to.be.greaterThan(0);
  });
});

describe('attacks: what is told of them', () => {
  const attacks = { resists, succeeds, cannot, isOutside };
  const found = (attack: keyof typeof attacks, result: Finding['result'], variant?: 'logout-undone'): Finding => {
    return { attack, mode: 'redis', variant, result };
  };
  const proof: Finding['result'] = {
    outcome: 'succeeded',
    tries: 2,
    reason: 'it went | through',
    exchanges: [exchange],
  };
  const resisted: Finding['result'] = { outcome: 'resisted', tries: 3, lagMs: 12 };
  const findings = [
    found('resists', resisted),
    found('succeeds', proof),
    found('cannot', { outcome: 'inconclusive', reason: 'nobody answered' }),
    found('isOutside', { outcome: 'not applicable', reason: 'there is no token' }),
    found('succeeds', proof, 'logout-undone'),
    found('resists', resisted, 'logout-undone'),
  ];

  it('the table, what fell, what did not, the reasons and the proof of what should not have succeeded', () => {
    const text = attackReport(attacks, findings, { colour: false, columns: 200 });
    for (const line of [
      /│ resists +│ resisted +│/,
      /│ succeeds +│ SUCCEEDED +│/,
      /│ cannot +│ inconclusive │/,
      /│ isOutside +│ n\/a +│/,
      /^weak: redis, logout-undone \(.*\): falls to succeeds; does not fall to resists \(resisted\)$/m,
      /^not seen to succeed here \(that takes --mode redis\): cannot, isOutside$/m,
      /^redis: what was ended was honoured for at most 12 ms more$/m,
      /^redis: inconclusive: nobody answered \(cannot\)$/m,
      /^redis: not applicable: there is no token \(isOutside\)$/m,
      /^fail: at full strength 1 succeeded, 1 were resisted; 1 do not apply; of 2 on weak variants 1 succeeded, as all of them must; 1 could not be carried out$/m,
      /^SUCCEEDED: succeeds in redis: it went \| through$/m,
      / {2}> GET \/me HTTP\/1.1\n {2}< HTTP\/1.1 200 OK\n {2}< \{"user":"victim"\}/,
    ])
      expect(text).to.match(line);
    expect(text).not.to.include('\u001b');
    expect(attackReport(attacks, findings, { colour: true, columns: 200 })).to.include('\u001b');
  });

  it('as JSON: schema 1, one line for each, null for a mode at full strength', () => {
    const { schema, attacks: lines } = JSON.parse(attackJson(attacks, findings));
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
    });
    expect(lines[1]).to.include({ outcome: 'succeeded', tries: 2, reason: 'it went | through' });
    expect(lines[1].exchanges).to.deep.equal([exchange]);
    expect(lines[3]).to.include({ outcome: 'not applicable', tries: 0, reason: 'there is no token' });
    expect(lines[4]).to.include({ variant: 'logout-undone' });
  });

  it('as evidence: requirement by requirement, in the order of their numbers, the same text for the same findings', () => {
    const numbered = { ...attacks, resists: attackThat(resisting, { asvs: ['RFC 9700', '7.10.1', '7.2.1'] }) };
    const text = evidence(numbered, findings);
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
      `| ${weakVariants['logout-undone'].summary} | \`succeeds\` | succeeded: it went \\| through |`,
    );
    expect(text).to.include('- `isOutside` in `redis`: there is no token');
    expect(text).to.include('## Inconclusive\n\n- `cannot` in `redis`: nobody answered\n');
    expect(evidence(numbered, findings)).to.equal(text);
  });

  const outside: Finding['result'] = { outcome: 'not applicable', reason: 'there is no token' };
  const codes: [string, readonly Finding[], number][] = [
    ['nothing of what was asked for applies', [found('isOutside', outside)], 2],
    ['what does not apply beside what was resisted', [found('isOutside', outside), found('resists', resisted)], 0],
    ['a weak variant to which its attack does not apply', [found('isOutside', outside, 'logout-undone')], 1],
    ['all as it should be', [found('resists', resisted), found('succeeds', proof, 'logout-undone')], 0],
    ['one succeeded that should not', [found('resists', resisted), found('succeeds', proof)], 1],
    ['a weak variant that did not fall', [found('resists', resisted, 'logout-undone')], 1],
    ['one could not be carried out', [found('cannot', { outcome: 'inconclusive', reason: '' })], 2],
    ['what was seen weighs more than what was not', findings, 1],
    ['nothing', [], 2],
  ];
  for (const [what, which, code] of codes) {
    it(`exit code ${code}: ${what}`, () => expect(exitCodeOf(judgeAll(which))).to.equal(code));
  }
});
