import { expect } from 'chai';
import { engines } from '#src/proxy/engines/registry.js';
import { ask } from '../ask.js';
import { throughWith } from '../engines/with-engine.js';

for (const [name, { make }] of Object.entries(engines)) {
  describe(`engine ${name}: Forwarded`, () => {
    const through = throughWith(make);
    const theirs = { host: 'shop.example:8080', Forwarded: ['for=6.6.6.6;proto=https', 'for="[2001:db8::7]"'] };
    const own = 'for=127.0.0.1;host="shop.example:8080";proto=http';
    const rows: readonly [what: string, forwarded: boolean, trusted: string[], told: string | undefined][] = [
      ['is replaced by our own word', true, [], own],
      ['is added to for a trusted peer', true, ['127.0.0.1'], `for=6.6.6.6;proto=https, for="[2001:db8::7]", ${own}`],
      ['goes no further unless it is asked for', false, [], undefined],
      ['goes no further unless it is asked for, from a trusted peer neither', false, ['127.0.0.1'], undefined],
    ];
    for (const [what, forwarded, trusted, told] of rows) {
      it(what, () =>
        through(
          (request, response) => response.end(JSON.stringify(request.headers)),
          async ({ url }) => {
            const seen = JSON.parse((await ask(url, '/', { headers: theirs })).text);
            expect(seen.forwarded).to.equal(told);
          },
          { forwarded, trusted },
        ),
      );
    }
  });
}
