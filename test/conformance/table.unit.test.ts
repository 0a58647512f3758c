import { expect } from 'chai';
import type { CellKind } from '#src/conformance/cell.js';
import type { Recording } from '#src/conformance/exchange.js';
import { exchangeLine, maskRun, renderProxyPage, tableLines, wireLines } from '#src/conformance/pages.js';
import { tableReporters } from '#src/conformance/reporters.js';
import type { FailureRow } from '#src/conformance/table.js';
import { isEstablished, type RowFinding, tableOf } from '#src/conformance/table.js';

const request = ['POST /visit HTTP/1.1', 'host: 127.0.0.1:1234', 'cookie: app=0123456789abcdef; lb=1', '', 'item=r1'];
const head = ['HTTP/1.1 200 OK', 'Date: Tue, 01 Dec 2026 13:34:50 GMT', 'x-witness: backend-1#feedbeef'];
const exchange = {
  ...{ id: 'r1', user: 'user-1', phase: 'after', method: 'POST' as const, to: 'proxy', request },
  answer: { status: 200, head, body: '<b>', complete: true },
};
const carriedOut = {
  ...{ id: 'r1', backend: 'backend-1', boot: 'feedbeef', method: 'POST', url: '/visit' },
  ...{ memory: 'known' as const, rawHeaders: [], cookies: [] },
};
const recording: Recording = { exchanges: [exchange], log: [carriedOut] };

const row: FailureRow = { title: 'A thing | happens.', phases: { after: 'row: after' }, run: async () => {} };

function found(method: 'GET' | 'POST', kind: CellKind, says: string): RowFinding {
  const cells = { after: { kind, says, why: 'Because <it> is so.', decisive: 0 } };
  return { proxy: 'small', row: 'row', method, version: '1.2', cells, recording };
}

function tableWith(...findings: readonly RowFinding[]) {
  const proxy = { name: 'small', for: 'a test', configuration: 'examples/proxies/small/x.tmpl', documentation: [] };
  return tableOf({ row }, [proxy], findings);
}

const options = {
  colour: false,
  columns: 120,
  again: 'holdfast conformance',
  pages: 'table',
  place: { folder: '/holdfast/docs', packageFolder: '/holdfast' },
};

describe('the failure table', () => {
  it('shows one result for both methods where it is the same, and each where it is not', () => {
    const same = tableWith(found('GET', 'kept', 'kept'), found('POST', 'kept', 'kept'));
    expect(tableLines(same, 'table').at(-1)).to.equal('| row: after | [kept](table/small.md#row-after) |');
    const both = tableWith(found('GET', 'kept', 'kept'), found('POST', 'twice', 'carried out twice'));
    expect(tableLines(both, 'table').at(-1)).to.include('[GET kept<br>POST carried out twice]');
    expect(tableReporters.terminal(both, options)).to.match(/row: after │ GET kept +│\n│ +│ POST carried out twice │/);
  });

  it('is established only without an unknown cell', () => {
    expect(isEstablished(tableWith(found('GET', 'kept', 'kept')))).to.equal(true);
    expect(isEstablished(tableWith(found('GET', 'kept', 'kept'), found('POST', 'unknown', 'unknown')))).to.equal(false);
  });

  it('shows beside each cell its exchange and a link to the configuration', () => {
    const table = tableWith(found('POST', 'kept', 'kept'));
    const [proxy] = table.proxies;
    const page = proxy === undefined ? '' : renderProxyPage(table, proxy, 'table.md', options.place);
    expect(page).to.include('## row: after\n').and.to.include('(../../examples/proxies/small/x.tmpl)');
    expect(page).to.include('user-1: POST -> 200; carried out by backend-1#boot1 (known)\n\n> POST /visit HTTP/1.1');
    expect(page).to.include('> host: 127.0.0.1:PORT\n> cookie: app=session1; lb=1').and.to.include('< Date: DATE');
  });

  it('has links that lead from its own folder to the files of the package', () => {
    const table = tableWith(found('POST', 'kept', 'kept'));
    const from = (folder: string) =>
      tableReporters.markdown(table, { ...options, place: { ...options.place, folder } });
    expect(from('/holdfast/docs'))
      .to.include('](your-gateway.md)')
      .and.to.include('](../examples/proxies/small/x.tmpl)');
    expect(from('/tmp/mine')).to.include('](../../holdfast/docs/your-gateway.md)');
    expect(from('/tmp/mine')).to.include('](../../holdfast/examples/proxies/small/x.tmpl)');
  });

  it('escapes what a proxy has sent in HTML', () => {
    const text = tableReporters.html(tableWith(found('POST', 'kept', 'kept')), options);
    expect(text).to.include('Because &lt;it&gt; is so.').and.to.include('&lt; &lt;b&gt;').and.not.to.include('<it>');
  });

  it('lists an experiment once in JSON, and the exchange that shows a cell by its id', () => {
    const { rows, experiments } = JSON.parse(tableReporters.json(tableWith(found('POST', 'kept', 'kept')), options));
    expect(rows[0].cells[0]).to.include({ proxy: 'small', method: 'POST', kind: 'kept', decisive: 'r1' });
    expect(experiments).to.have.length(1);
    expect(experiments[0].carriedOut).to.deep.equal([carriedOut]);
  });
});

describe('the text of an exchange', () => {
  for (const [title, answer, failure, expected] of [
    ['a whole answer', { ...exchange.answer, body: 'x'.repeat(200) }, undefined, `< ${'x'.repeat(120)}… (200 bytes)`],
    ['a cut answer', { ...exchange.answer, complete: false }, 'reset', '(the answer ends here, cut off: reset)'],
    ['no answer', undefined, 'timeout', '(no answer: timeout)'],
  ] as const) {
    it(`ends with what came for ${title}`, () => {
      expect(wireLines({ ...exchange, answer, failure }).at(-1)).to.equal(expected);
    });
  }

  it('says when no backend carried a request out', () => {
    expect(exchangeLine({ ...exchange, answer: undefined, failure: 'refused' }, [])).to.equal(
      'user-1: POST -> refused; carried out by no backend',
    );
  });

  it('names ports, dates, processes and sessions as in every run', () => {
    expect(maskRun('< date: Tue\nbackend-1#feedbeef app=0123456789abcdef 127.0.0.1:80', recording)).to.equal(
      '< date: DATE\nbackend-1#boot1 app=session1 127.0.0.1:PORT',
    );
  });
});
