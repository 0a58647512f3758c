import type { ServerResponse } from 'node:http';
import { expect } from 'chai';
import { cookieOf } from './ask.js';
import type { Toy } from './toy-backend.js';
import { affinity, type TestProxy, withPool } from './with-proxy.js';

const three = [undefined, undefined, undefined];
const drain = (proxy: TestProxy, name: string) => proxy.admin('PUT', `/backends/${name}`, { state: 'drain' });
const toldTo = (toys: readonly Toy[], name: string) =>
  toys.find(toy => toy.name === name)?.seen.at(-1)?.headers['holdfast-affinity'];

/** Returns the cookie of a browser that is bound to that backend, and was seen again. */
async function boundTo(proxy: TestProxy, name: string): Promise<string | undefined> {
  for (let i = 0; i < 10; i += 1) {
    const answer = await proxy.ask('/');
    if (answer.text !== name) continue;
    const cookie = cookieOf(answer);
    await proxy.as(cookie);
    return cookie;
  }
  throw new Error(`no browser was bound to ${name} in ten tries`);
}

describe('proxy: drain', () => {
  it('keeps bound browsers and takes no new ones', () =>
    withPool(three, {}, async proxy => {
      const cookie = await boundTo(proxy, 'backend-2');
      await drain(proxy, 'backend-2');
      for (let i = 0; i < 6; i += 1) expect((await proxy.ask('/')).text).to.not.equal('backend-2');
      const again = await proxy.as(cookie);
      expect(again.text).to.equal('backend-2');
      expect(again.headers).to.not.have.property('set-cookie');
      expect(await proxy.view('backend-2')).to.include({ state: 'draining', drained: false, bound: 1 });
    }));

  it('moves bound browsers after the window, and tells their new backend why', () =>
    withPool(three, { drainMs: 50 }, async (proxy, ...toys) => {
      const cookie = await boundTo(proxy, 'backend-2');
      await drain(proxy, 'backend-2');
      expect(await proxy.event(({ kind }) => kind === 'drained')).to.include({
        backend: 'backend-2',
        reason: 'window',
      });
      const moved = await proxy.as(cookie);
      expect(moved.text).to.not.equal('backend-2');
      expect(moved.headers['set-cookie']).to.have.length(1);
      expect(toldTo(toys, moved.text)).to.equal('broken; reason=draining');
      expect(await proxy.view('backend-2')).to.include({ state: 'draining', drained: true, bound: 0 });
      expect(await proxy.view(moved.text)).to.include({ state: 'ready' });
    }));

  it('moves bound browsers at once with a window of 0', () =>
    withPool(three, {}, async (proxy, ...toys) => {
      const cookie = await boundTo(proxy, 'backend-2');
      const answer = await proxy.admin('PUT', '/backends/backend-2', { state: 'drain', windowMs: 0 });
      expect(JSON.parse(answer.text)).to.include({ state: 'draining', drained: true });
      expect(proxy.events.at(-1)).to.deep.equal({ kind: 'drained', backend: 'backend-2', reason: 'window' });
      const moved = await proxy.as(cookie);
      expect(toldTo(toys, moved.text)).to.equal('broken; reason=draining');
      expect((await proxy.as(cookieOf(moved))).text)
        .to.equal(moved.text)
        .and.not.equal('backend-2');
    }));

  it('is not kept open by clients that never send their cookie, such as bots', () =>
    withPool(three, {}, async proxy => {
      for (let i = 0; i < 6; i += 1) await proxy.ask('/');
      expect(await proxy.view('backend-2')).to.include({ bound: 0 });
      await drain(proxy, 'backend-2');
      expect(proxy.events.at(-1)).to.deep.equal({ kind: 'drained', backend: 'backend-2', reason: 'empty' });
    }));

  it('that ended early still keeps a browser whose cookie comes back within the window, and not after it', () =>
    withPool(three, {}, async (proxy, ...toys) => {
      let cookie: string | undefined;
      while (cookie === undefined) {
        const answer = await proxy.ask('/');
        if (answer.text === 'backend-2') cookie = cookieOf(answer);
      }
      await drain(proxy, 'backend-2');
      expect(await proxy.view('backend-2')).to.include({ drained: true });
      const late = await proxy.as(cookie);
      expect([late.text, late.headers['set-cookie']]).to.deep.equal(['backend-2', undefined]);
      await proxy.admin('PUT', '/backends/backend-2', { state: 'drain', windowMs: 0 });
      const moved = await proxy.as(cookie);
      expect(toldTo(toys, moved.text)).to.equal('broken; reason=draining');
    }));

  it('ends at once when no browser is bound and nothing is in flight', () =>
    withPool(three, {}, async proxy => {
      await drain(proxy, 'backend-1');
      expect(proxy.events.at(-1)).to.deep.equal({ kind: 'drained', backend: 'backend-1', reason: 'empty' });
    }));

  it('ends when the last browser has been idle for too long', () =>
    withPool(three, { affinity: { ...affinity, idleMs: 100 } }, async proxy => {
      await boundTo(proxy, 'backend-1');
      await drain(proxy, 'backend-1');
      expect(await proxy.event(({ kind }) => kind === 'drained')).to.include({ reason: 'empty' });
    }));

  it('waits for requests in flight', () => {
    let answer = (): void => {};
    const slow = (_: unknown, response: ServerResponse): void => {
      answer = () => response.end('done');
    };
    return withPool([slow], { affinity: undefined }, async (proxy, toy) => {
      const waiting = proxy.ask('/');
      while (toy?.seen.length === 0) await proxy.view('backend-1');
      await drain(proxy, 'backend-1');
      expect(await proxy.view('backend-1')).to.include({ drained: false, inFlight: 1 });
      answer();
      expect((await waiting).text).to.equal('done');
      await proxy.event(({ kind }) => kind === 'drained');
    });
  });

  it('sends a draining backend no more requests when affinity is off', () =>
    withPool(three, { affinity: undefined }, async (proxy, ...toys) => {
      await drain(proxy, 'backend-3');
      for (let i = 0; i < 9; i += 1) await proxy.ask('/');
      expect(toys.map(toy => toy.seen.length > 0)).to.deep.equal([true, true, false]);
    }));

  it('ends when the operator sets ready, and can start again', () =>
    withPool(three, { affinity: undefined }, async (proxy, ...toys) => {
      await drain(proxy, 'backend-3');
      await proxy.admin('PUT', '/backends/backend-3', { state: 'ready' });
      expect(await proxy.view('backend-3')).to.include({ state: 'ready', drained: false });
      for (let i = 0; i < 3; i += 1) await proxy.ask('/');
      expect(toys[2]?.seen).to.have.length(1);
      await drain(proxy, 'backend-3');
      expect(await proxy.view('backend-3')).to.include({ state: 'draining', drained: true });
    }));

  it('takes a backend out at once for maintenance, even with bound browsers, and brings it back with ready', () =>
    withPool(three, {}, async (proxy, ...toys) => {
      const cookie = await boundTo(proxy, 'backend-1');
      await proxy.admin('PUT', '/backends/backend-1', { state: 'maint' });
      expect(await proxy.view('backend-1')).to.include({ state: 'down' });
      const moved = await proxy.as(cookie);
      expect(toldTo(toys, moved.text)).to.equal('broken; reason=down');
      await proxy.admin('PUT', '/backends/backend-1', { state: 'ready' });
      expect(await proxy.view('backend-1')).to.include({ state: 'ready' });
    }));

  it('gives a joining backend its share after its first health check', () =>
    withPool([undefined, undefined], { affinity: undefined }, async (proxy, _one, other) => {
      await proxy.admin('DELETE', '/backends/backend-2');
      const added = await proxy.admin('POST', '/backends', { url: other?.url.origin });
      expect(JSON.parse(added.text)).to.include({ name: 'backend-3' });
      await proxy.goes('backend-3', 'ready');
      const names = new Set<string>();
      for (let i = 0; i < 4; i += 1) names.add((await proxy.ask('/')).text);
      expect([...names].sort()).to.deep.equal(['backend-1', 'backend-2']);
    }));
});
