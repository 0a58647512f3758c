import { expect } from 'chai';
import { Front } from '#src/proxy/front/front.js';

describe('front door', () => {
  it('rejects when the port is taken', async () => {
    const front = new Front(() => {});
    const { port } = await front.listen('127.0.0.1', 0);
    const error = await new Front(() => {}).listen('127.0.0.1', port).catch(error => error);
    expect(error).to.include({ code: 'EADDRINUSE' });
    front.close();
  });
});
