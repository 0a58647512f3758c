import { expect } from 'chai';
import { engines } from '#src/proxy/engines/registry.js';
import { ask } from './ask.js';
import { throughWith } from './engines/with-engine.js';

for (const [name, { make }] of Object.entries(engines)) {
  describe(`engine ${name}: Forwarded`, () => {
    const through = throughWith(make);
    const theirs = { host: 'shop.example:8080', Forwarded: ['for=6.6.6.6;proto=https', 'for="[2001:db8::7]"'] };
    const own = 'for=127.0.0.1;host="shop.example:8080";proto=http';
    const rows: readonly [what: string, forwarded: boolean, trusted: string[], told: string | undefined][] = [
      ['is replaced by our own', true, [], own],
      ['is extended for a trusted peer', true, ['127.0.0.1'], `for=6.6.6.6;proto=https, for="[2001:db8::7]", ${own}`],
      ['is dropped by default', false, [], undefined],
      ['is dropped by default, also from a trusted peer', false, ['127.0.0.1'], undefined],
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
