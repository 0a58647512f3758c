import { expect } from 'chai';
import { Frontend } from '#src/proxy/front/frontend.js';

describe('frontend', () => {
  it('rejects when the port is taken', async () => {
    const front = new Frontend(() => {});
    const { port } = await front.listen('127.0.0.1', 0);
    const error = await new Frontend(() => {}).listen('127.0.0.1', port).catch(error => error);
    expect(error).to.include({ code: 'EADDRINUSE' });
    front.close();
  });
});
