import { expect } from 'chai';
import { incidentCells } from '#src/report/browser/columns.js';
import { storyRows } from '#src/report/browser/stories.js';
import { caseOfUser, casesOf } from '#src/report/html/case-file.js';
import { pageScript } from '#src/report/html/page.js';
import { check } from '#src/simulator/checker/check.js';
import type { Operation } from '#src/simulator/history/records.js';
import { changed, sampleRun } from '../sample-runs.js';

const sticky = sampleRun({ mode: 'sticky', users: 6 });

describe('the stories in a report', () => {
  const { file, incidents } = casesOf(sticky, 100_000);
  const lost = incidents.findIndex(({ kind }) => kind === 'lost');
  const user = incidents[lost]?.user ?? '';
  const own = [...sticky.run.operations].filter(operation => operation.user === user);

  it('hold every request of the user, in the order of sending', () => {
    const rows = storyRows(file, file.words.indexOf(user)) ?? [];
    const bySending = [...own].sort((a, b) => a.sentMs - b.sentMs);
    expect(rows.map(({ id }) => id)).to.deep.equal(bySending.map(({ id }) => id));
    rows.forEach(({ cells }, index) => {
      const {
        sentMs,
        kind,
        token = '–',
        status = '',
        outcome,
        identity,
        backend,
      } = bySending[index] ?? ({} as Operation);
      const [sent, ...others] = cells;
      expect(sent).to.equal(`${(sentMs / 1000).toFixed(3)} s`);
      expect(others.slice(0, 5)).to.deep.equal([kind, token, `${status}`, outcome, identity ?? 'nobody']);
      expect(others[5]).to.equal(`${backend} (${backend}`.slice(0, `${backend} (`.length + 8).concat(')'));
    });
  });

  it('leave out users without an incident', () => {
    const unharmed = [...sticky.run.operations].find(({ user: name }) => incidents.every(one => one.user !== name));
    expect(unharmed).to.not.equal(undefined);
    expect(file.words).to.not.include(unharmed?.user);
  });

  it('are complete or left out, the worst first', () => {
    const first = incidents[0]?.user ?? '';
    const { file: small, untold } = casesOf(sticky, own.length + 5);
    expect(storyRows(small, small.words.indexOf(first))).to.not.equal(undefined);
    expect(untold).to.equal(new Set(incidents.map(one => one.user)).size - 1);
    expect(storyRows(small, small.words.length)).to.equal(undefined);
  });

  it('are the same for one user alone, with the same incidents', () => {
    const run = { ...sticky.run, operations: [...sticky.run.operations] };
    const judged = { ...sticky, findings: check(run) };
    const whole = casesOf(judged, 100_000);
    expect(whole.incidents.length).to.be.greaterThan(0);
    for (const name of new Set(run.operations.map(operation => operation.user))) {
      const { file: alone, user: place = -1 } = caseOfUser(run, name) ?? {};
      if (alone === undefined) throw new Error(`no story of ${name}`);
      const told = alone.incidents.kind.map((_, index) => incidentCells(alone, index));
      const inWhole = whole.incidents.flatMap((one, index) => (one.user === name ? [index] : []));
      expect(told).to.deep.equal(inWhole.map(index => incidentCells(whole.file, index)));
      const operations = run.operations.filter(operation => operation.user === name);
      expect(storyRows(alone, place)?.length).to.equal(operations.length);
      expect(alone.words[place]).to.equal(name);
    }
    expect(caseOfUser(run, 'a stranger')).to.equal(undefined);
  });

  it('say when a lost write was last seen', () => {
    const { token = '', seenMs } = incidents[lost] ?? {};
    const shown = (doneMs: number, items: Operation['items']): Operation => ({
      ...(own[0] as Operation),
      kind: 'read',
      doneMs,
      ...(items === undefined ? {} : { items }),
    });
    const reads = [shown(1000, [token]), shown(1400, [token, 'other', 'other']), shown(1500, ['other'])];
    const run = changed(sticky, { run: { operations: [...sticky.run.operations, ...reads] } });
    const cells = incidentCells(casesOf(run, 100_000).file, lost);
    expect(cells.slice(0, 3)).to.deep.equal(['lost', user, token]);
    expect(cells.slice(5, 7)).to.deep.equal(['1.400 s', `${((seenMs ?? 0) / 1000).toFixed(3)} s`]);
    expect(incidentCells(file, lost)[5]).to.equal('–');
  });

  it('are shown by a script that stands alone and closes no element', () => {
    expect(pageScript).to.match(/\n"use strict";\(\(\)=>\{/);
    expect(pageScript).to.not.match(/<\/script|<!--|sourceMappingURL/);
    expect(pageScript).to.not.match(/^(import|export)\b/m);
  });
});
