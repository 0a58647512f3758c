import { expect } from 'chai';
import type { EngineFactory } from '#src/proxy/exchange.js';
import { ask, raw } from '../ask.js';
import { throughWith } from './with-engine.js';

/** Fields that CGI, WSGI, Rack and PHP read as fields that only the proxy may set, or that it has read itself. */
const lookalikes = [
  'X_Forwarded_For',
  'x-forwarded_for',
  'X_FORWARDED-Proto',
  'X_Forwarded_Anything',
  'X_Real_IP',
  'x-real_ip',
  'Holdfast_Affinity',
  'HOLDFAST_Anything',
  'Content_Length',
  'Transfer_Encoding',
  'Proxy_Authorization',
  'Proxy_Connection',
  'Keep_Alive',
  'X_Request_Id',
  'X-Request_ID',
  'x_request-id',
];
/** Fields that only look similar. */
const others = [
  'X_Forwarded',
  'Forwarded_For',
  'Real_IP',
  'Content_Type',
  'My_Content_Length',
  '_Host',
  'Host_',
  'X_Y',
];

/** Tests what a backend and the dispatcher learn about the client. */
export function itTellsOfClients(make: EngineFactory): void {
  const through = throughWith(make);

  describe('clients', () => {
    it('drops each field that is a watched field but for an underscore, and forwards other such fields', () =>
      through(
        ({ rawHeaders, headers }, response) =>
          response.end(JSON.stringify({ rawHeaders, length: headers['content-length'] })),
        async ({ url }) => {
          const fields = [...lookalikes, ...others].map(name => `${name}: 6\r\n`).join('');
          const answer = await raw(
            url,
            `POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n${fields}Content-Length: 2\r\n\r\nok`,
          );
          const { rawHeaders, length } = JSON.parse(/\{.*\}/s.exec(answer)?.[0] ?? '');
          const names = rawHeaders.filter((name: string) => name.includes('_'));
          expect(names.map((name: string) => name.toLowerCase())).to.have.members(
            others.map(name => name.toLowerCase()),
          );
          expect(length).to.equal('2');
        },
      ));

    for (const [what, trusted, address] of [
      ['of the connection', [], '127.0.0.1'],
      ['that a trusted proxy reports', ['127.0.0.0/8', '10.0.0.0/8'], '192.0.2.7'],
    ] as const) {
      it(`tells backend and dispatcher the client address ${what}`, () =>
        through(
          ({ headers }, response) => response.end(JSON.stringify(headers)),
          async ({ url, exchanges }) => {
            const chain = '6.6.6.6, 192.0.2.7, 10.0.0.2';
            const headers = { 'X-Real-IP': ['6.6.6.6', '6.6.6.7'], 'x-forwarded-for': chain };
            expect(JSON.parse((await ask(url, '/', { headers })).text)['x-real-ip']).to.equal(address);
            expect(exchanges[0]?.clientAddress).to.equal(address);
          },
          { trusted },
        ));
    }

    it('reads the client address from Forwarded where X-Forwarded-For is absent', () =>
      through(
        ({ headers }, response) => response.end(String(headers['x-real-ip'])),
        async ({ url }) => {
          const headers = { Forwarded: ['for=6.6.6.6', 'for="[2001:db8::7]:80"'] };
          expect((await ask(url, '/', { headers })).text).to.equal('2001:db8::7');
        },
        { trusted: ['127.0.0.1'] },
      ));
  });
}
