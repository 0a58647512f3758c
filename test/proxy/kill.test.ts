import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { Agent } from 'node:http';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect } from 'chai';
import { engines } from '#src/proxy/engines/registry.js';
import { makeDevCertificate } from '#src/proxy/front/tls-pair.js';
import { ask } from './ask.js';
import { askHttp2, connectTo } from './http2/with-http2.js';
import { quickHealth, type TestProxy, withProxy } from './with-proxy.js';

const connections = 64;
/** Long enough that the clients wait for answers most of the time, and need little CPU time. */
const answerMs = 25;
/** Long enough that a busy machine does not look like a dead backend. */
const health = { ...quickHealth, timeoutMs: 800 };

interface Child {
  readonly name: string;
  readonly url: URL;
  readonly process: ChildProcess;
  /** Returns the ids of the requests that it carried out. */
  executed(): Promise<string[]>;
}

async function withChildren(use: (children: Child[], victim: Child) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(path.join(tmpdir(), 'holdfast-kill-'));
  const children: Child[] = [];
  try {
    for (const name of ['backend-1', 'backend-2', 'backend-3']) children.push(await child(name, folder));
    const [, victim] = children;
    if (victim !== undefined) await use(children, victim);
  } finally {
    for (const { process } of children) {
      const gone = once(process, 'exit');
      if (process.exitCode === null && process.signalCode === null && process.kill('SIGKILL')) await gone;
    }
    await rm(folder, { recursive: true });
  }
}

async function child(name: string, folder: string): Promise<Child> {
  const file = path.join(folder, name);
  const process = fork(path.join(import.meta.dirname, 'counting-server.js'), [file, name, String(answerMs)], {
    execArgv: [],
  });
  const [{ port }] = await once(process, 'message');
  const executed = async () => (await readFile(file, 'utf8').catch(() => '')).split('\n').filter(id => id !== '');
  return { name, url: new URL(`http://127.0.0.1:${port}`), process, executed };
}

interface Shot {
  readonly id: string;
  readonly answer: { readonly status: number; readonly headers: NodeJS.Dict<string | string[]> };
  readonly endedMs: number;
}

type Client = (method: string, id: string) => Promise<Shot['answer']>;

/** Each client has a connection of its own. Over HTTP/2 each has one stream at a time of a connection that all share. */
function makeClients(proxy: TestProxy): { readonly clients: readonly Client[]; close(): void } {
  const body = (method: string, id: string) => (method === 'POST' ? id : undefined);
  if (proxy.url.startsWith('https:')) {
    const session = connectTo(proxy.url);
    const client: Client = (method, id) => askHttp2(session, { ':method': method, 'x-id': id }, body(method, id));
    return { clients: Array<Client>(connections).fill(client), close: () => session.destroy() };
  }
  const agents = Array.from({ length: connections }, () => new Agent({ keepAlive: true, maxSockets: 1 }));
  const clients = agents.map(
    (agent): Client =>
      (method, id) => {
        const sent = body(method, id);
        return ask(proxy.url, '/', {
          method,
          agent,
          headers: { 'x-id': id },
          ...(sent === undefined ? {} : { body: sent }),
        });
      },
  );
  return {
    clients,
    close() {
      for (const agent of agents) agent.destroy();
    },
  };
}

/** Runs `connections` clients. Each sends its next request after an answer, until `stop` resolves. */
async function load(proxy: TestProxy, method: string, stop: Promise<unknown>): Promise<Shot[]> {
  const shots: Shot[] = [];
  let stopped = false;
  void stop.then(() => {
    stopped = true;
  });
  const { clients, close } = makeClients(proxy);
  const run = async (client: Client, name: number): Promise<void> => {
    for (let i = 0; !stopped; i += 1) {
      const id = `${name}-${i}`;
      const answer = await client(method, id);
      shots.push({ id, answer, endedMs: performance.now() });
    }
  };
  await Promise.all(clients.map(run));
  close();
  return shots;
}

/** Stops the backend first, so that its requests are certainly unanswered when it dies. */
async function killWithRequests(victim: Child, proxy: TestProxy): Promise<{ inFlight: number; killedMs: number }> {
  victim.process.kill('SIGSTOP');
  let inFlight = 0;
  while (inFlight === 0) inFlight = Number((await proxy.view(victim.name)).inFlight);
  const killedMs = performance.now();
  victim.process.kill('SIGKILL');
  return { inFlight, killedMs };
}

const pause = (ms: number): Promise<void> => new Promise(resolve => setTimeout(resolve, ms));

describe('proxy: a backend process dies under load', () => {
  for (const [engine, affinity, clients] of [
    ['wire', 'on', 'connections'],
    ['http-proxy', 'off', 'connections'],
    ['wire', 'on', 'HTTP/2 streams'],
  ] as const) {
    const mode = affinity === 'off' ? { affinity: undefined } : {};

    it(`SIGKILL, 64 ${clients} of GET, affinity ${affinity}, engine ${engine}: every answer is 200`, async () => {
      const tls = clients === 'HTTP/2 streams' ? await makeDevCertificate() : undefined;
      await withChildren((children, victim) =>
        withProxy(children, { engine, health, tls, ...mode }, async proxy => {
          const story = async (): Promise<void> => {
            await pause(200);
            await killWithRequests(victim, proxy);
            await proxy.goes(victim.name, 'down');
            await pause(200);
          };
          const shots = await load(proxy, 'GET', story());
          expect(shots.length).to.be.greaterThan(connections);
          expect(shots.filter(({ answer }) => answer.status !== 200)).to.deep.equal([]);
          // Without retries the test would prove nothing.
          const retried =
            (await proxy.metric('holdfast_proxy_retries_total{kind="broken-off"}')) +
            (await proxy.metric('holdfast_proxy_retries_total{kind="refused"}'));
          expect(retried).to.be.greaterThan(0);
        }),
      );
    });
  }

  for (const [engine, clients] of [
    ...Object.keys(engines).map(name => [name, 'connections'] as const),
    ['wire', 'HTTP/2 streams'] as const,
  ]) {
    it(`SIGKILL, 64 ${clients} of POST, engine ${engine}: 502 for requests in flight, none carried out twice`, async () => {
      const tls = clients === 'HTTP/2 streams' ? await makeDevCertificate() : undefined;
      await withChildren((children, victim) =>
        withProxy(children, { engine, health, tls, affinity: undefined }, async proxy => {
          let killedMs = 0;
          let inFlight = 0;
          const story = async (): Promise<void> => {
            await pause(200);
            ({ inFlight, killedMs } = await killWithRequests(victim, proxy));
            await proxy.goes(victim.name, 'down');
            await pause(200);
          };
          const shots = await load(proxy, 'POST', story());
          const failed = shots.filter(({ answer }) => answer.status !== 200);
          expect(shots.length).to.be.greaterThan(connections);
          // More requests may have arrived between the look and the kill. An answer already in the pipe counts as
          // given.
          expect(inFlight).to.be.greaterThan(0);
          expect(failed.length).to.be.within(1, connections);
          for (const { answer, endedMs } of failed) {
            expect(answer.status).to.equal(502);
            expect(answer.headers['proxy-status']).to.match(/^holdfast; error=\w+; outcome=unknown$/);
            expect(endedMs - killedMs).to.be.lessThan(1000);
          }
          const executed = (await Promise.all(children.map(each => each.executed()))).flat();
          expect(new Set(executed).size).to.equal(executed.length);
          const survivors = new Set(
            (await Promise.all(children.filter(each => each !== victim).map(each => each.executed()))).flat(),
          );
          expect(failed.filter(({ id }) => survivors.has(id))).to.deep.equal([]);
          const acknowledged = shots.filter(({ answer }) => answer.status === 200);
          expect(acknowledged.filter(({ id }) => !executed.includes(id))).to.deep.equal([]);
        }),
      );
    });
  }

  it('SIGSTOP: GETs move to other backends as soon as the hang is detected', () =>
    withChildren((children, victim) =>
      withProxy(children, { health }, async proxy => {
        const story = async (): Promise<void> => {
          await pause(200);
          victim.process.kill('SIGSTOP');
          await proxy.goes(victim.name, 'down');
          await pause(200);
        };
        const shots = await load(proxy, 'GET', story());
        expect(shots.filter(({ answer }) => answer.status !== 200)).to.deep.equal([]);
        const brokenOff = await proxy.metric(
          `holdfast_proxy_attempts_total{backend="${victim.name}",outcome="broken-off"}`,
        );
        expect(brokenOff).to.be.greaterThan(0);
        victim.process.kill('SIGCONT');
        await proxy.goes(victim.name, 'ready');
        // A resumed process has the same boot and the same memory, so its bound browsers stay bound.
        expect((await proxy.view(victim.name)).incarnation).to.equal(`${victim.name}-${victim.process.pid}`);
      }),
    ));
});
