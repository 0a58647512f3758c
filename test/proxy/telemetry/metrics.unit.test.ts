import { readFileSync } from 'node:fs';
import { Agent } from 'node:http';
import { expect } from 'chai';
import type { BackendView } from '#src/proxy/backends.js';
import { engines } from '#src/proxy/engines/registry.js';
import { ProxyMetrics } from '#src/proxy/telemetry/metrics.js';
import { packageFile } from '#src/shared/package.js';
import { withPool } from '../with-proxy.js';

describe('proxy metrics', () => {
  it('counts each thing under its own label only', async () => {
    const metrics = new ProxyMetrics(() => []);
    metrics.affinity('bound');
    metrics.affinity('bound');
    metrics.affinity('reborn');
    metrics.attempt('backend-1', 'answered');
    metrics.attempt('backend-1', 'broken-off');
    metrics.attempt('backend-2', 'broken-off');
    metrics.retry('refused');
    metrics.withheldRetry();
    metrics.answered(200, 4, 'backend-1');
    metrics.answered(404, 4, 'backend-1');
    metrics.refusedAnswer(502, 'unknown');
    metrics.refusedAnswer(502, 'not-sent');
    metrics.refusedAnswer(503, 'not-sent');
    const request = { text: '', clientAddress: '', secure: false, method: undefined, path: undefined };
    metrics.engineAnswer({ ...request, status: 431, cause: 'header-bytes', inExchange: false });
    metrics.engineAnswer({ ...request, status: 408, cause: 'body-timeout', inExchange: true });
    metrics.engineAnswer({ ...request, status: undefined, cause: 'client-closed', inExchange: false });
    expect(counted(await metrics.text())).to.deep.equal([
      'affinity_total{outcome="bound"} 2',
      'affinity_total{outcome="reborn"} 1',
      'attempts_total{backend="backend-1",outcome="answered"} 1',
      'attempts_total{backend="backend-1",outcome="broken-off"} 1',
      'attempts_total{backend="backend-2",outcome="broken-off"} 1',
      'backend_answer_seconds_total{backend="backend-1"} 0.008',
      'backend_answers_total{backend="backend-1"} 2',
      'engine_answers_total{status="408",reason="body-timeout"} 1',
      'engine_answers_total{status="431",reason="header-bytes"} 1',
      'engine_answers_total{status="none",reason="client-closed"} 1',
      'own_answers_total{status="408",outcome="unknown"} 1',
      'own_answers_total{status="431",outcome="not-sent"} 1',
      'own_answers_total{status="502",outcome="not-sent"} 1',
      'own_answers_total{status="502",outcome="unknown"} 1',
      'own_answers_total{status="503",outcome="not-sent"} 1',
      'requests_total{status="200",from="backend"} 1',
      'requests_total{status="404",from="backend"} 1',
      'requests_total{status="408",from="proxy"} 1',
      'requests_total{status="431",from="proxy"} 1',
      'requests_total{status="502",from="proxy"} 2',
      'requests_total{status="503",from="proxy"} 1',
      'retries_total{kind="refused"} 1',
      'retries_withheld_total{after="timeout"} 1',
    ]);
  });

  it('counts nothing twice across scrapes', async () => {
    const metrics = new ProxyMetrics(() => []);
    metrics.answered(200, 1, 'backend-1');
    const first = await metrics.text();
    expect(await metrics.text()).to.equal(first);
  });

  it('shows outcomes that have not happened yet as zero', async () => {
    const text = await new ProxyMetrics(() => []).text();
    for (const outcome of ['bound', 'none', 'rebound', 'forged', 'expired', 'unknown', 'reborn', 'down', 'draining']) {
      expect(text).to.include(`holdfast_proxy_affinity_total{outcome="${outcome}"} 0\n`);
    }
    for (const kind of ['refused', 'broken-off']) {
      expect(text).to.include(`holdfast_proxy_retries_total{kind="${kind}"} 0\n`);
    }
  });

  it('measures durations in seconds, in cumulative buckets with inclusive upper bounds', async () => {
    const metrics = new ProxyMetrics(() => []);
    for (const durationMs of [0, 0.5, 0.6, 5, 99, 30_000, 31_000]) metrics.answered(200, durationMs, 'backend-1');
    const text = await metrics.text();
    const name = 'holdfast_proxy_request_duration_seconds';
    const buckets = [...text.matchAll(new RegExp(`${name}_bucket\\{le="([^"]+)"\\} (\\d+)`, 'g'))];
    const counts = Object.fromEntries(buckets.map(([, bound = '', count]) => [bound, Number(count)]));
    expect(counts).to.include({
      '0.0005': 2,
      '0.001': 3,
      '0.005': 4,
      '0.05': 4,
      '0.1': 5,
      '10': 5,
      '30': 6,
      '+Inf': 7,
    });
    expect(Number(new RegExp(`${name}_sum (.+)`).exec(text)?.[1])).to.be.closeTo(61.1051, 1e-9);
    expect(text).to.include(`${name}_count 7\n`).and.include(`# TYPE ${name} histogram\n`);
  });

  it('counts an impossible status as 0', async () => {
    const metrics = new ProxyMetrics(() => []);
    for (const status of [-1, 0, 99, 1000, Number.NaN]) metrics.answered(status, 1, 'backend-1');
    metrics.answered(999, 1, 'backend-1');
    const requests = counted(await metrics.text()).filter(line => line.startsWith('requests_total'));
    expect(requests).to.deep.equal([
      'requests_total{status="0",from="backend"} 5',
      'requests_total{status="999",from="backend"} 1',
    ]);
  });

  it('shows only the present backends', async () => {
    let pool = [
      view('backend-1'),
      view('backend-2', { state: 'draining', inFlight: 3, maxconn: 0, queued: 0, bound: 7, weight: 4, share: 0.5 }),
    ];
    const metrics = new ProxyMetrics(() => pool);
    expect(counted(await metrics.text())).to.deep.equal([
      'backend_bound_browsers{backend="backend-2"} 7',
      'backend_in_flight{backend="backend-2"} 3',
      'backend_share{backend="backend-2"} 0.5',
      'backend_state{backend="backend-1",state="ready"} 1',
      'backend_state{backend="backend-2",state="draining"} 1',
      'backend_weight{backend="backend-2"} 4',
    ]);
    pool = [view('backend-1', { state: 'down' })];
    const after = await metrics.text();
    expect(after).to.include('backend_state{backend="backend-1",state="ready"} 0\n');
    expect(counted(after)).to.deep.equal(['backend_state{backend="backend-1",state="down"} 1']);
    expect(after).not.to.include('backend-2');
  });

  it('stays within its limit when many backends come and go', async () => {
    const metrics = new ProxyMetrics(() => []);
    for (let i = 0; i < 3000; i += 1) metrics.attempt(`backend-${i}`, 'answered');
    const text = await metrics.text();
    expect(text.match(/attempts_total\{.*outcome="answered"\}/g)).to.have.length(1025);
    expect(text).to.include('attempts_total{backend="other",outcome="answered"} 1976\n');
  });

  it('is well formed: every sample has its own HELP and TYPE, and our prefix', async () => {
    const metrics = new ProxyMetrics(() => [view('a"b\\c\nd')]);
    metrics.answered(200, 1, 'backend-1');
    const text = await metrics.text();
    let current = '';
    for (const line of text.split('\n').filter(each => each !== '')) {
      if (line.startsWith('# HELP ')) current = line.split(' ')[2] ?? '';
      else if (line.startsWith('# TYPE ')) expect(line.split(' ')[2]).to.equal(current);
      else expect(line).to.match(new RegExp(`^${current}(_bucket|_sum|_count)?(\\{.*\\})? [0-9.e+-]+$`));
      expect(current).to.match(/^(holdfast_proxy|process)_[a-z0-9_]+$/);
    }
    expect(text).to.match(/\n$/).and.include('{backend="a\\"b\\\\c\\nd"}');
  });

  it('keeps the counts of two proxies in one process separate', async () => {
    const [one, other] = [new ProxyMetrics(() => []), new ProxyMetrics(() => [])];
    one.answered(200, 1, 'backend-1');
    expect(counted(await other.text())).to.deep.equal([]);
  });
});

describe('metrics of a running proxy', () => {
  it('are exactly those that the manual lists', () =>
    withPool([undefined], {}, async proxy => {
      const { text } = await proxy.admin('GET', '/metrics');
      const names = [...text.matchAll(/^# TYPE (\S+) /gm)].map(match => match[1]);
      const manual = readFileSync(packageFile('docs/proxy-operate.md'), 'utf8');
      const rows = manual.matchAll(/^\| `((?:holdfast_proxy|process)_\w+)`/gm);
      expect([...rows].map(match => match[1]).toSorted()).to.deep.equal(names.toSorted());
    }));

  for (const engine of Object.keys(engines)) {
    it(`count open connections (${engine})`, () =>
      withPool([undefined], { engine }, async proxy => {
        const agent = new Agent({ keepAlive: true });
        await proxy.ask('/', { agent });
        while ((await proxy.metric('holdfast_proxy_connections')) !== 1);
        agent.destroy();
        while ((await proxy.metric('holdfast_proxy_connections')) !== 0);
      }));
  }

  it('report the build, resource use and reloads', () =>
    withPool([undefined], {}, async proxy => {
      await proxy.ask('/');
      const before = await proxy.metric('holdfast_proxy_last_reload_timestamp_seconds');
      expect(before).to.equal(await proxy.metric('process_start_time_seconds'));
      expect(before).to.be.closeTo(Date.now() / 1000, 20);
      await proxy.reload({ policy: 'nonsense' });
      expect(await proxy.metric('holdfast_proxy_last_reload_timestamp_seconds')).to.equal(before);
      await proxy.reload({ policy: 'random' });
      expect(await proxy.metric('holdfast_proxy_last_reload_timestamp_seconds')).to.be.above(before);
      for (const outcome of ['applied', 'refused']) {
        expect(await proxy.metric(`holdfast_proxy_reloads_total{outcome="${outcome}"}`)).to.equal(1);
      }
      const { text } = await proxy.admin('GET', '/metrics');
      expect(text).to.match(
        /^holdfast_proxy_build_info\{version="\d+\.\d+\.\d+",engine="\w[\w-]*",node="v[\d.]+"\} 1$/m,
      );
      expect(await proxy.metric('process_resident_memory_bytes')).to.be.within(2 ** 24, 2 ** 32);
      expect(await proxy.metric('process_cpu_seconds_total')).to.be.above(0);
      expect(await proxy.metric('holdfast_proxy_event_loop_seconds_total{state="busy"}')).to.be.above(0);
      expect(await proxy.metric('holdfast_proxy_backend_answers_total{backend="backend-1"}')).to.equal(1);
    }));
});

describe('proxy metrics of several processes', () => {
  it('are all summed', async () => {
    const [one, other, sum] = [new ProxyMetrics(), new ProxyMetrics(), new ProxyMetrics()];
    one.attempt('backend-1', 'answered');
    other.attempt('backend-1', 'answered');
    for (const metrics of [one, other]) metrics.answered(200, 1, 'backend-1');
    for (const metrics of [one, other]) setEach(metrics.counts, 7);
    for (const { counts } of [one, other]) sum.add(structuredClone(counts));
    const leaves = numbersIn(sum.counts);
    expect(leaves.length).to.be.greaterThan(3000);
    expect(new Set(leaves)).to.deep.equal(new Set([14]));
    expect(await sum.text()).to.include('attempts_total{backend="backend-1",outcome="answered"} 14\n');
  });
});

/** Sets every number, so that later metrics are covered too. */
function setEach(counts: object, value: number): void {
  if (counts instanceof Map) for (const each of counts.values()) setEach(each, value);
  else if (counts instanceof Float64Array) counts.fill(value);
  else
    for (const [name, each] of Object.entries(counts)) {
      if (typeof each === 'number') Object.assign(counts, { [name]: value });
      else setEach(each, value);
    }
}

function numbersIn(counts: unknown): number[] {
  if (typeof counts === 'number') return [counts];
  if (counts instanceof Float64Array) return [...counts];
  return Object.values(counts instanceof Map ? Object.fromEntries(counts) : Object(counts)).flatMap(numbersIn);
}

/** Returns the samples that are not zero, without the common prefix and the histogram, sorted. */
function counted(text: string): string[] {
  return text
    .split('\n')
    .filter(line => line.startsWith('holdfast_proxy_') && !line.includes('_duration_seconds') && !line.endsWith(' 0'))
    .map(line => line.slice('holdfast_proxy_'.length))
    .sort();
}

function view(name: string, changes: Partial<BackendView> = {}): BackendView {
  return {
    name,
    url: 'http://127.0.0.1:3001',
    state: 'ready',
    incarnation: '1',
    inFlight: 0,
    maxconn: 0,
    queued: 0,
    bound: 0,
    weight: 0,
    share: 0,
    drained: false,
    ...changes,
  };
}
