import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { expect } from 'chai';
import { withHoldfast } from './holdfast.js';

/** Runs a matrix. Resolves with its output and its files. */
const runMatrix = () =>
  withHoldfast(
    ['matrix', '--modes', 'sticky,jwt', '--faults', 'refuse-one', '--json', 'm.json', '--html', 'm.html'],
    async holdfast => {
      const code = await holdfast.ended();
      const [json = '', html = ''] = await Promise.all(
        ['m.json', 'm.html'].map(name => readFile(path.join(holdfast.folder, name), 'utf8')),
      );
      const left = [...(await holdfast.children()), ...(await holdfast.temporaryFiles())];
      return { code, ...holdfast.output, json, html, left };
    },
  );

describe('a matrix in its own network', function () {
  this.timeout(120_000);

  it('becomes a table with estimates, JSON and HTML, and leaves nothing behind', async () => {
    const { code, stdout, stderr, json, html, left } = await runMatrix();
    const { modes, rows, problems } = JSON.parse(json);
    expect(modes).to.deep.equal(['sticky', 'jwt']);
    expect(rows).to.have.length(1);
    const [sticky, jwt] = rows[0].cells;
    // Another program may delay the driver. Then the cell and the exit code say so.
    expect(sticky.outcome, stderr).to.be.oneOf(['expected-loss', 'inconclusive']);
    expect(jwt.outcome, stderr).to.be.oneOf(['kept', 'inconclusive']);
    expect(code, stderr).to.equal(problems.length === 0 ? 0 : 2);
    expect(sticky.loggedOut).to.be.greaterThan(0);
    expect(jwt.loggedOut).to.equal(0);
    expect(stderr)
      .to.match(/matrix 0 of 2, (one lab|\d+ labs) .*: begun/)
      .and.match(/matrix 1 of 2, .*, about \d+ s left: refuse-one in/);
    expect(stdout).to.match(/refuse-one.*(▼|\?) \d+ \/ \d+/);
    expect(html).to.include('refuse-one');
    expect(left).to.deep.equal([]);
  });
});
