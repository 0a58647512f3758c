import { Agent } from 'node:http';
import type { Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { expect } from 'chai';
import { engines } from '#src/proxy/engines/registry.js';
import { makeDevCertificate } from '#src/proxy/front/tls-pair.js';
import { waitUntil } from '#src/simulator/cluster/probe.js';
import { ask } from './ask.js';
import { connectTo } from './engines/engine-patience.contract.js';
import { withPool } from './with-proxy.js';

const get = 'GET / HTTP/1.1\r\nHost: x\r\n\r\n';
const turnedAway = 'holdfast_proxy_connections_turned_away_total{reason="address-limit"}';
const overLimit = 'holdfast_proxy_requests_over_limit_total{reason="address-rate"}';

/** Sends a request. Returns whether an answer came before the end of the connection. */
function isServed(socket: Socket): Promise<boolean> {
  socket.on('error', () => {});
  socket.write(get);
  return new Promise(resolve => {
    socket.once('data', () => resolve(true));
    for (const event of ['end', 'close']) socket.once(event, () => resolve(false));
  });
}

for (const engine of Object.keys(engines)) {
  describe(`limits per client address (${engine})`, () => {
    for (const over of ['TCP', 'TLS']) {
      it(`closes and counts a connection of ${over} over the limit, until another one has ended`, async () => {
        const tls = over === 'TLS' ? await makeDevCertificate() : undefined;
        await withPool([undefined], { engine, tls, connectionsPerAddressMax: 2 }, async proxy => {
          const open = () =>
            tls === undefined
              ? connectTo(proxy.url)
              : connectTls({ port: Number(new URL(proxy.url).port), rejectUnauthorized: false });
          const [one, two] = [open(), open()];
          expect([await isServed(one), await isServed(two)]).to.deep.equal([true, true]);
          expect(await isServed(open())).to.equal(false);
          expect(await proxy.metric(turnedAway)).to.equal(1);
          one.destroy();
          await waitUntil(() => isServed(open()), 5000);
          two.destroy();
        });
      });
    }

    it('does not limit the connections of a trusted proxy', () =>
      withPool([undefined], { engine, trusted: ['127.0.0.1'], connectionsPerAddressMax: 1 }, async proxy => {
        const clients = [1, 2, 3].map(() => connectTo(proxy.url));
        for (const client of clients) expect(await isServed(client)).to.equal(true);
        for (const client of clients) client.destroy();
      }));

    it('applies a changed limit of connections at a reload', () =>
      withPool([undefined], { engine }, async proxy => {
        await proxy.reload({ connectionsPerAddressMax: 1 });
        const one = connectTo(proxy.url);
        expect(await isServed(one)).to.equal(true);
        expect(await isServed(connectTo(proxy.url))).to.equal(false);
        await proxy.reload({ connectionsPerAddressMax: 0 });
        const two = connectTo(proxy.url);
        expect(await isServed(two)).to.equal(true);
        one.destroy();
        two.destroy();
      }));

    it('returns 429 with Retry-After over the rate of requests, for each client that a trusted proxy reports', () =>
      withPool([undefined], { engine, trusted: ['127.0.0.1'], requestsPerAddressMax: 1 }, async (proxy, backend) => {
        const agent = new Agent({ keepAlive: true });
        const from = (address: string) =>
          ask(proxy.url, '/', { method: 'POST', body: 'x', agent, headers: { 'x-forwarded-for': address } });
        expect((await from('192.0.2.7')).status).to.equal(200);
        const refused = await from('192.0.2.7');
        expect(refused.status).to.equal(429);
        expect(refused.headers).to.include({
          'retry-after': '1',
          'proxy-status': 'holdfast; error=http_request_denied; outcome=not-sent',
        });
        expect((await from('192.0.2.8')).status).to.equal(200);
        expect(backend.seen).to.have.length(2);
        expect(await proxy.metric(overLimit)).to.equal(1);
        expect(await proxy.metric('holdfast_proxy_own_answers_total{status="429",outcome="not-sent"}')).to.equal(1);
        agent.destroy();
      }));
  });
}
