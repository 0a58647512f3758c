import { expect } from 'chai';
import { matrixPage } from '#src/report/html/tables.js';
import { matrixCell, matrixJson, matrixOf } from '#src/report/matrix.js';
import { reporters } from '#src/report/reporters/registry.js';
import { nameScenario } from '#src/report/sentence.js';
import type { JudgedRun } from '#src/simulator/checker/verdict/verdict.js';
import { sampleRun } from './sample-runs.js';

const own = sampleRun({ mode: 'sticky' });
const { header } = own.run;
const system = {
  members: [],
  keeps: 'backend',
  stores: [],
  affinity: true,
  proxy: 'haproxy',
  proxyAsked: 'mine/preset.yaml',
} as const;
const behind: JudgedRun = {
  ...own,
  run: { ...own.run, header: { ...header, system, versions: { ...header.versions, haproxy: '2.6.12' } } },
};
const title = `${header.scenario} with haproxy 2.6.12`;

describe('the report of a run behind an external proxy', () => {
  for (const name of ['terminal', 'html', 'markdown'] as const)
    it(`names the proxy and its version in its title: ${name}`, () => {
      expect(reporters[name].report([behind], { colour: false })).to.include(title);
      expect(reporters[name].report([own], { colour: false })).to.not.include('haproxy');
    });

  it('names the proxy in JSON, also in that of a matrix, and in the title of its page', () => {
    expect(JSON.parse(reporters.json.report([behind], { colour: false }))).to.include({ proxy: 'haproxy' });
    const drawn = matrixOf([matrixCell(behind)]);
    expect(JSON.parse(matrixJson(drawn, [behind]))).to.include({ proxy: 'haproxy' });
    expect(matrixPage(drawn, [], '', 'haproxy 2.6.12')).to.include('fault with haproxy 2.6.12</h1>');
  });

  it('says how to run it again', () => {
    const page = reporters.html.report([behind], { colour: false });
    expect(page).to.match(/node dist\/cli\.js run .*--seed \d+ --proxy mine\/preset\.yaml/);
  });

  it('has the name of the scenario alone with the proxy of Holdfast', () => {
    expect(nameScenario(header)).to.equal(header.scenario);
  });
});
