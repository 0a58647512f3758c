import { expect } from 'chai';
import { Visitor } from '../backends/visitor.js';
import { sql, withPostgres } from '../sessions/with-postgres.js';
import { withHoldfast } from './holdfast.js';

describe('holdfast proxy --postgres-url', function () {
  this.timeout(30_000);

  it('keeps the sessions in that server, starts no server, and changes nothing there but its own table', () =>
    withPostgres(async server => {
      const args = ['proxy', '--mode', 'postgres', '--backends', '1', '--port', '0', '--admin-port', '0'];
      await withHoldfast([...args, '--postgres-url', server.url], async lab => {
        await lab.sees('Ctrl-C here stops everything');
        expect(lab.output.stdout).not.to.match(/postgres\s+│\s+\d/);
        const [, url = ''] = /open (http:\S+) in a browser/.exec(lab.output.stdout) ?? [];
        const anna = await new Visitor(url).logIn('anna');
        await anna.add('tea');
        expect(await sql(server, 'SELECT user_json, version FROM holdfast_sessions')).to.deep.equal([
          { user_json: '"anna"', version: '2' },
        ]);
        lab.child.kill('SIGINT');
        expect(await lab.ended(), lab.output.stderr).to.equal(130);
        expect(lab.output.stdout + lab.output.stderr).not.to.include(new URL(server.url).password);
      });
      expect(await sql(server, 'SELECT count(*) AS kept FROM holdfast_sessions')).to.deep.equal([{ kept: '1' }]);
    }));
});
