/** Cases in which Node's server or client alone would hold or take too much. */
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { expect } from 'chai';
import { httpProxyEngine as make } from '#src/proxy/engines/http-proxy.js';
import { answerOk, withRecorder } from '../recording-backend.js';
import { connectTo } from './engine-patience.contract.js';
import { withEngine } from './with-engine.js';

const get = 'GET / HTTP/1.1\r\nHost: x\r\n\r\n';

describe('engine http-proxy: bounds', () => {
  it('forwards a body of many tiny chunks in few pieces', () =>
    withRecorder(answerOk, ({ url, connections, requests }) =>
      withEngine(make, [url], async engine => {
        const client = connectTo(engine.url);
        client.write('POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n');
        client.write(`${'1\r\nx\r\n'.repeat(20_000)}0\r\n\r\n`);
        await engine.settled(1);
        expect(requests[0]?.body).to.equal('x'.repeat(20_000));
        expect(connections[0]?.bytes.match(/\r\n/g)?.length).to.be.lessThan(200);
        client.destroy();
      }),
    ));

  it('closes a connection that sends empty lines in place of a request within the time of a head', () =>
    withRecorder(answerOk, ({ url }) =>
      withEngine(
        make,
        [url],
        async engine => {
          const client = connectTo(engine.url);
          client.write(get);
          await once(client, 'data');
          client.write('\r\n');
          expect(await text(client)).to.equal('');
          client.destroy();
        },
        { limits: { clientHeadMs: 100 } },
      ),
    ));
});
