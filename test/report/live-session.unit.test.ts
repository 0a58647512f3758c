import { expect } from 'chai';
import { reporters } from '#src/report/reporters/registry.js';
import { describeRun } from '#src/report/sentence.js';
import { judgeRun } from '#src/simulator/checker/judge-run.js';
import type { JudgedRun } from '#src/simulator/checker/verdict/verdict.js';
import type { FaultSpec } from '#src/simulator/scenario/scenario.js';
import { sessionInMemory } from '../live/sessions.js';

const kill: FaultSpec = { id: 'kill-backend-2', trigger: { atMs: 300 }, do: 'kill', target: 'backend-2' };
const plain = { colour: false };

/** Advice for people who write scenarios, and words for verdicts: a session has neither. */
const unfit = /inconclusive|lengthen phases|users\.arrivals|never had a good read|The scenario expects|scenarios\/live/;

describe('the report of a session of the live lab', () => {
  let session: JudgedRun;
  before(async () => {
    session = judgeRun(await sessionInMemory('sticky', [kill]));
  });

  it('calls what happened observed, and gives no advice for scenarios', () => {
    const html = reporters.html.report([session], plain);
    const shown = html.slice(html.indexOf('<body>')).replaceAll(/<script[\s\S]*?<\/script>/g, '');
    expect(shown).to.include('A session of the live lab expects nothing, so it has no verdict.');
    expect(shown).to.include('<h1>A session of the live lab</h1>');
    expect(shown).to.match(/class="badge observed"/);
    expect(shown).to.include('node dist/cli.js run scenario.yaml');
    expect(shown).not.to.match(unfit);
  });

  it('says that a strike was active to the end', () => {
    expect(reporters.html.report([session], plain)).to.match(
      /kill backend-2: requested at [^,]*, confirmed at [^,]*, active to the end/,
    );
  });

  it('names the writes that are missing while a fault is active, and not proven lost', () => {
    const { missing, lost, acknowledged } = session.findings.writes;
    expect(missing).to.be.greaterThan(lost);
    const unproven = missing - lost;
    expect(describeRun(session)).to.include(
      `${lost} of ${acknowledged} acknowledged writes lost and ${unproven} missing`,
    );
    expect(describeRun(session)).to.match(/ — observed$/);
    const html = reporters.html.report([session], plain);
    expect(html).to.include(`${lost} of ${acknowledged} acknowledged writes, ${unproven} missing`);
    expect(html).to.include(`The last answer missed ${unproven} more`);
  });

  it('has a table of the sides instead of a matrix of verdicts', () => {
    const html = reporters.html.report([session], plain);
    expect(html).not.to.include('Survival matrix');
    expect(html).to.match(/<th scope="row">users logged out<\/th><td class="loss">/);
    const terminal = reporters.terminal.report([session], plain);
    expect(terminal).not.to.include('verdict  ');
    expect(terminal).to.include('run the scenario that it exports for a verdict');
  });

  it('draws no spare backend that never started, and every backend that was dead', () => {
    const html = reporters.html.report([session], plain);
    const processes = /aria-label="([^"]*proxy up at[^"]*)"/.exec(html)?.[1] ?? '';
    expect(processes).to.include('backend-2 up at 0.000 s, dead at');
    expect(processes).not.to.include('backend-4');
  });
});
