import { readFileSync } from 'node:fs';
import path from 'node:path';
import { expect } from 'chai';
import { parse, parseAllDocuments } from 'yaml';
import { z } from 'zod';
import { settings } from '#src/proxy/settings.js';
import { defaultProxyOptions } from '#src/proxy/start-proxy.js';
import { parseDuration } from '#src/shared/units.js';
import { withPool } from '../proxy/with-proxy.js';

const folder = path.resolve(import.meta.dirname, '../../../examples/operate');
const read = (file: string) => readFileSync(path.join(folder, file), 'utf8');

const known: ReadonlySet<string> = new Set([...Object.keys(settings), 'hosts']);

/** Reads `Key=value` lines; a key may come twice. */
function readUnit(file: string): ReadonlyMap<string, readonly string[]> {
  const unit = new Map<string, string[]>();
  for (const line of read(file).split('\n')) {
    const [, key = '', value = ''] = /^(\w+)=(.*)$/.exec(line) ?? [];
    if (key !== '') unit.set(key, [...(unit.get(key) ?? []), value]);
  }
  return unit;
}

const readKey = (unit: ReadonlyMap<string, readonly string[]>, key: string) => unit.get(key)?.[0] ?? '';

describe('examples/operate: systemd', () => {
  const service = readUnit('holdfast.service');

  it('starts the proxy with settings that exist', () => {
    const [program, script, command, flag, file] = readKey(service, 'ExecStart').split(' ');
    expect([program, command, flag]).to.deep.equal(['/usr/bin/node', 'proxy', '--config']);
    expect(script).to.match(/\/dist\/cli\.js$/);
    expect(file).to.equal('/etc/holdfast/proxy.yaml');
    expect(Object.keys(parse(read('proxy.yaml'))).filter(key => !known.has(key))).to.deep.equal([]);
  });

  it('accepts the notifications of systemd-notify and of a new main process', () => {
    expect(readKey(service, 'Type')).to.equal('notify');
    expect(readKey(service, 'NotifyAccess')).to.equal('all');
    expect(readKey(service, 'KillMode')).to.equal('mixed');
    expect(readKey(service, 'ExecReload')).to.equal('/bin/kill -HUP $MAINPID');
  });

  it('has a socket for each listener, whose name says its purpose', () => {
    const sockets = readKey(service, 'Sockets').split(' ');
    expect(sockets).to.deep.equal(['holdfast.socket', 'holdfast-admin.socket']);
    const units = sockets.map(readUnit);
    expect(units.map(unit => readKey(unit, 'FileDescriptorName'))).to.deep.equal(['traffic', 'admin']);
    const { port } = parse(read('proxy.yaml'));
    expect(units.map(unit => readKey(unit, 'ListenStream'))).to.deep.equal([
      `0.0.0.0:${port}`,
      `127.0.0.1:${defaultProxyOptions.admin.port}`,
    ]);
  });

  it('waits for the end longer than the proxy takes', () => {
    const delayMs = parseDuration(parse(read('proxy.yaml'))['shutdown-delay']) ?? 0;
    expect(Number(readKey(service, 'TimeoutStopSec')) * 1000).to.be.greaterThan(delayMs + defaultProxyOptions.graceMs);
  });
});

describe('examples/operate: Prometheus and Grafana', () => {
  it('scrapes the path and the port of the admin API', () => {
    const { scrape_configs: jobs } = parse(read('prometheus.yml'));
    for (const job of jobs) expect(job.metrics_path).to.equal('/metrics');
    for (const target of jobs[0].static_configs[0].targets)
      expect(target).to.match(new RegExp(`:${defaultProxyOptions.admin.port}$`));
  });

  it('shows only metrics and labels that the proxy exposes', () =>
    withPool([undefined], {}, async (proxy, toy) => {
      await proxy.ask('/');
      // An answer of the proxy itself, so that its metric has a sample.
      toy.healthy = false;
      await proxy.goes('backend-1', 'down');
      expect((await proxy.ask('/')).status).to.equal(503);
      const labelsByMetric = readExposition((await proxy.admin('GET', '/metrics')).text);
      const dashboard = JSON.parse(read('grafana-dashboard.json'));
      const panels: Panel[] = dashboard.panels.filter(({ type }: Panel) => type !== 'row');
      expect(panels.length).to.be.greaterThan(15);
      for (const { title, targets } of panels) {
        for (const { expr } of targets) {
          const uses = usesIn(expr);
          expect(uses.length, `${title}: ${expr}`).to.be.greaterThan(0);
          for (const { metric, labels } of uses) {
            const exposed = labelsByMetric.get(metric);
            expect(exposed, `${title}: ${metric}`).to.not.equal(undefined);
            expect(
              labels.filter(label => !exposed?.has(label) && !ofPrometheus.has(label)),
              title,
            ).to.deep.equal([]);
          }
        }
      }
    }));

  it('has panels that do not overlap', () => {
    const { panels } = JSON.parse(read('grafana-dashboard.json'));
    const cells = panels.flatMap(({ gridPos: { x, y, w, h } }: { gridPos: Record<'x' | 'y' | 'w' | 'h', number> }) =>
      Array.from({ length: w * h }, (_, at) => `${x + (at % w)} ${y + Math.floor(at / w)}`),
    );
    expect(new Set(cells).size).to.equal(cells.length);
  });
});

interface Panel {
  readonly type: string;
  readonly title: string;
  readonly targets: readonly { readonly expr: string }[];
}

/** Labels that Prometheus adds to each series. */
const ofPrometheus: ReadonlySet<string> = new Set(['job', 'instance']);

/** Returns the labels of each metric. A metric without a sample has none, and its name comes from its TYPE line. */
function readExposition(text: string): ReadonlyMap<string, ReadonlySet<string>> {
  const found = new Map<string, Set<string>>();
  for (const line of text.split('\n')) {
    const [, declared, kind] = /^# TYPE (\w+) (\w+)$/.exec(line) ?? [];
    if (declared !== undefined && kind !== 'histogram') found.set(declared, found.get(declared) ?? new Set());
    const [, name, labels = ''] = /^(\w+)(?:\{(.*)\})? \S+$/.exec(line) ?? [];
    if (name === undefined) continue;
    const all = found.get(name) ?? new Set<string>();
    for (const [, label = ''] of labels.matchAll(/(\w+)="/g)) all.add(label);
    found.set(name, all);
  }
  return found;
}

/** Finds each metric of an expression with the labels that select it or group it. */
function usesIn(expr: string): { metric: string; labels: string[] }[] {
  const grouped = [...expr.matchAll(/\bby \(([^)]*)\)/g)].flatMap(([, names = '']) => names.split(/,\s*/));
  return [...expr.matchAll(/\b((?:holdfast|process)_\w+)\{([^}]*)\}/g)].map(([, metric = '', selector = '']) => ({
    metric,
    labels: [...grouped, ...[...selector.matchAll(/(\w+)(?:=~|!~|!=|=)/g)].map(([, label = '']) => label)],
  }));
}

const labels = z.record(z.string(), z.string());
const metadata = z.strictObject({ name: z.string(), labels: labels.optional() });
const portName = z.string().regex(/^[a-z][a-z0-9-]{0,14}$/);
const portNumber = z.int().min(1).max(65_535);
const probe = z.strictObject({
  httpGet: z.strictObject({ path: z.string().startsWith('/'), port: portName }),
  periodSeconds: z.int().min(1).optional(),
  timeoutSeconds: z.int().min(1).optional(),
  failureThreshold: z.int().min(1).optional(),
});
const container = z.strictObject({
  name: z.string(),
  image: z.string().regex(/:[\w.-]+$/, 'an image needs a tag'),
  args: z.array(z.string()).optional(),
  ports: z.array(z.strictObject({ name: portName, containerPort: portNumber })),
  startupProbe: probe.optional(),
  livenessProbe: probe.optional(),
  readinessProbe: probe,
  lifecycle: z
    .strictObject({ preStop: z.strictObject({ exec: z.strictObject({ command: z.array(z.string()) }) }) })
    .optional(),
  resources: z.strictObject({ requests: labels, limits: labels }).optional(),
  securityContext: z
    .strictObject({
      allowPrivilegeEscalation: z.literal(false),
      readOnlyRootFilesystem: z.boolean(),
      capabilities: z.strictObject({ drop: z.array(z.string()) }),
    })
    .optional(),
  volumeMounts: z
    .array(z.strictObject({ name: z.string(), mountPath: z.string().startsWith('/'), readOnly: z.boolean() }))
    .optional(),
});
const selector = z.strictObject({ matchLabels: labels });
const deployment = z.strictObject({
  apiVersion: z.literal('apps/v1'),
  kind: z.literal('Deployment'),
  metadata,
  spec: z.strictObject({
    replicas: z.int().min(2),
    selector,
    strategy: z.strictObject({
      type: z.literal('RollingUpdate'),
      rollingUpdate: z.strictObject({ maxUnavailable: z.literal(0), maxSurge: z.int().min(1) }),
    }),
    template: z.strictObject({
      metadata: z.strictObject({ labels }),
      spec: z.strictObject({
        terminationGracePeriodSeconds: z.int(),
        securityContext: z
          .strictObject({ runAsNonRoot: z.literal(true), runAsUser: z.int().min(1), fsGroup: z.int().min(1) })
          .optional(),
        containers: z.array(container).length(1),
        volumes: z
          .array(
            z.union([
              z.strictObject({ name: z.string(), configMap: z.strictObject({ name: z.string() }) }),
              z.strictObject({
                name: z.string(),
                secret: z.strictObject({ secretName: z.string(), defaultMode: z.int().max(0o777) }),
              }),
            ]),
          )
          .optional(),
      }),
    }),
  }),
});
const service = z.strictObject({
  apiVersion: z.literal('v1'),
  kind: z.literal('Service'),
  metadata,
  spec: z.strictObject({
    type: z.literal('LoadBalancer').optional(),
    externalTrafficPolicy: z.literal('Local').optional(),
    clusterIP: z.literal('None').optional(),
    publishNotReadyAddresses: z.boolean().optional(),
    selector: labels,
    ports: z.array(z.strictObject({ name: portName, port: portNumber, targetPort: portName })),
  }),
});
const budget = z.strictObject({
  apiVersion: z.literal('policy/v1'),
  kind: z.literal('PodDisruptionBudget'),
  metadata,
  spec: z.union([
    z.strictObject({ minAvailable: z.int().min(1), selector }),
    z.strictObject({ maxUnavailable: z.int().min(1), selector }),
  ]),
});
const configMap = z.strictObject({
  apiVersion: z.literal('v1'),
  kind: z.literal('ConfigMap'),
  metadata,
  data: labels,
});

describe('examples/operate: Kubernetes', () => {
  const manifests = parseAllDocuments(read('kubernetes.yaml')).map(document => {
    expect(document.errors).to.deep.equal([]);
    return z.discriminatedUnion('kind', [deployment, service, budget, configMap]).parse(document.toJS());
  });
  const deployments = manifests.filter(each => each.kind === 'Deployment');
  const [proxy] = deployments;
  const [config] = manifests.filter(each => each.kind === 'ConfigMap');
  const given = parse(config?.data['proxy.yaml'] ?? '');

  it('has proxies, an app, and for each a Service and a budget', () => {
    const named = manifests.map(({ kind, metadata: { name } }) => `${kind} ${name}`);
    expect(named).to.have.members([
      'ConfigMap holdfast',
      ...['holdfast', 'app'].flatMap(name => [`Deployment ${name}`, `Service ${name}`, `PodDisruptionBudget ${name}`]),
    ]);
  });

  it('selects the pods of its own deployment with each selector', () => {
    for (const { metadata, spec } of deployments) {
      const { labels: own } = spec.template.metadata;
      expect(spec.selector.matchLabels).to.deep.equal(own);
      for (const other of manifests.filter(each => each.metadata.name === metadata.name)) {
        if (other.kind === 'Service') expect(other.spec.selector).to.deep.equal(own);
        if (other.kind === 'PodDisruptionBudget') expect(other.spec.selector.matchLabels).to.deep.equal(own);
      }
    }
  });

  it('names ports that the containers have, in Services and probes', () => {
    for (const { metadata, spec } of deployments) {
      for (const { ports, startupProbe, livenessProbe, readinessProbe } of spec.template.spec.containers) {
        const names = ports.map(({ name }) => name);
        for (const each of [startupProbe, livenessProbe, readinessProbe])
          if (each !== undefined) expect(names).to.include(each.httpGet.port);
        const services = manifests.filter(each => each.kind === 'Service' && each.metadata.name === metadata.name);
        for (const each of services)
          if (each.kind === 'Service')
            for (const { targetPort } of each.spec.ports) expect(names).to.include(targetPort);
      }
    }
  });

  it('gives the proxy settings that exist, and ports that the container has', () => {
    expect(Object.keys(given).filter(key => !known.has(key))).to.deep.equal([]);
    const ports = proxy?.spec.template.spec.containers[0]?.ports.map(({ name, containerPort }) => [
      name,
      containerPort,
    ]);
    expect(Object.fromEntries(ports ?? [])).to.deep.equal({ http: given.port, admin: 8081, health: 9000 });
    expect([given.admin, given['health-listen']]).to.deep.equal(['0.0.0.0:8081', '0.0.0.0:9000']);
  });

  it('mounts the files that the settings name', () => {
    const pod = proxy?.spec.template.spec;
    const [own] = pod?.containers ?? [];
    const mounted = own?.volumeMounts?.map(({ mountPath }) => mountPath) ?? [];
    const files = [own?.args?.at(-1), given['secrets-file'], given['admin-token-file']];
    expect(files.map(file => path.dirname(String(file))).filter(where => !mounted.includes(where))).to.deep.equal([]);
    expect(pod?.volumes?.map(({ name }) => name)).to.deep.equal(own?.volumeMounts?.map(({ name }) => name));
  });

  it('lets the proxy finish before it is killed', () => {
    const endMs = (parseDuration(given['shutdown-delay']) ?? 0) + (parseDuration(given.grace) ?? 0);
    const graceMs = (proxy?.spec.template.spec.terminationGracePeriodSeconds ?? 0) * 1000;
    expect(graceMs).to.be.greaterThan(endMs);
  });

  it('asks for each pod of the app by its headless Service, and keeps an ended pod alive until DNS has said so', () => {
    const [app] = manifests.filter(each => each.kind === 'Service' && each.spec.clusterIP === 'None');
    const [port] = app?.kind === 'Service' ? app.spec.ports : [];
    expect(given.backend).to.equal(`app=http://${app?.metadata.name}.default.svc.cluster.local:${port?.port}`);
    const [own] = deployments[1]?.spec.template.spec.containers ?? [];
    const sleepS = Number(own?.lifecycle?.preStop.exec.command[1]);
    expect(sleepS * 1000).to.be.greaterThan(3 * (parseDuration(given.resolve) ?? 0));
  });
});
