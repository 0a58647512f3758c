import { once } from 'node:events';
import { connect } from 'node:net';
import { expect } from 'chai';
import { listenersMax } from '#src/proxy/control/admin.js';
import type { ProxyEvent } from '#src/proxy/options.js';
import { withAdmin } from '../with-admin.js';

const transition: ProxyEvent = { kind: 'backend', backend: 'backend-1', from: 'ready', to: 'down', reason: 'refused' };

describe('admin API: the stream of events', () => {
  it('sends every event to every listener as it happens', () =>
    withAdmin(async ({ open, pool }) => {
      const streams = [await open(), await open()];
      pool.emit(transition);
      pool.emit({ kind: 'closing', inFlight: 2 });
      for (const stream of streams) {
        expect(stream.head.headers['content-type']).to.equal('text/event-stream');
        const text = await stream.until('"inFlight":2}\n\n');
        expect(text).to.equal(
          `: holdfast events\n\nevent: backend\ndata: ${JSON.stringify(transition)}\n\n` +
            'event: closing\ndata: {"kind":"closing","inFlight":2}\n\n',
        );
      }
    }));

  it('keeps an event on one line, whatever its text', () =>
    withAdmin(async ({ open, pool }) => {
      const stream = await open();
      pool.emit({ ...transition, reason: 'a\n\ndata: b\r\r' });
      expect(await stream.until('"}\n\n')).to.include('"reason":"a\\n\\ndata: b\\r\\r"}\n\n');
    }));

  it('unsubscribes a listener that disconnects', () =>
    withAdmin(async ({ open, pool }) => {
      const [staying, leaving] = [await open(), await open()];
      leaving.head.destroy();
      await pool.listenersBecome(1);
      pool.emit(transition);
      expect(await staying.until('"}\n\n')).to.include('event: backend');
    }));

  it('returns 503 above the limit of listeners until one leaves', () =>
    withAdmin(async ({ open, ask, pool }) => {
      const streams = await Promise.all(Array.from({ length: listenersMax }, open));
      expect((await ask('GET', '/events')).status).to.equal(503);
      expect(pool.listeners.size).to.equal(listenersMax);
      streams[0]?.head.destroy();
      await pool.listenersBecome(listenersMax - 1);
      expect((await open()).head.statusCode).to.equal(200);
    }));

  it('disconnects a listener that does not read', () =>
    withAdmin(async ({ url, pool }) => {
      const socket = connect(Number(url.port), url.hostname);
      socket.write(`GET /events HTTP/1.1\r\nHost: ${url.host}\r\n\r\n`);
      await once(socket, 'readable');
      const flood = { ...transition, reason: 'x'.repeat(100_000) };
      for (let i = 0; i < 1000 && pool.listeners.size > 0; i += 1) {
        pool.emit(flood);
        await new Promise(setImmediate);
      }
      expect(pool.listeners.size).to.equal(0);
      socket.destroy();
    }));
});
