import type { Argv } from 'yargs';
import { flagsOf } from '../lib/flags.js';

/** Every flag stands in one of these: a test sees to it. */
const groups: Readonly<Record<string, readonly string[]>> = {
  'Where:': ['host', 'port', 'admin-port', 'engine', 'workers'],
  'Backends, and who takes what:': ['backend', 'policy', 'hash-key', 'slow-start', 'name-backends'],
  'Affinity:': ['mode', 'affinity', 'on-lost-affinity', 'secrets-file', 'pool', 'same-site'],
  'Health and drain:': ['health-path', 'health-interval', 'health-timeout', 'health-fall', 'health-rise', 'drain'],
  'TLS, and proxies in front:': ['tls', 'tls-cert', 'tls-key', 'trust', 'proxy-protocol', 'forwarded'],
  'TLS to backends:': ['backend-ca', 'backend-server-name', 'backend-insecure'],
  'Operation:': ['config', 'access-log'],
  'A lab to play with:': ['backends', 'redis-url', 'memcached', 'postgres-url'],
};

const backend = '--backend http://127.0.0.1:3001';

const examples: readonly (readonly [line: string, what: string])[] = [
  ['$0 proxy --mode sticky --backends 3', 'three toy backends; open http://127.0.0.1:8080 and kill one'],
  [`$0 proxy ${backend} --backend http://127.0.0.1:3002`, 'in front of anything; browsers are bound by a cookie'],
  [`$0 proxy ${backend} --affinity off --policy least-connections`, 'sessions are in a store: any backend will do'],
  [`$0 proxy --backend red=http://127.0.0.1:3001,weight=3 --backend blue=http://127.0.0.1:3002`, 'names and weights'],
  [`$0 proxy ${backend} --tls dev`, 'https://localhost:8080, with a certificate made in memory'],
  ['$0 proxy --config proxy.yaml', 'the same flags from a file; kill -HUP <pid> reads it again'],
  ['curl -X PUT -d \'{"state":"drain"}\' http://127.0.0.1:8081/backends/backend-2', 'take one out gently'],
  ['curl http://127.0.0.1:8081/metrics', 'for Prometheus; also GET /backends and GET /events'],
];

const conflicts = `--backend names servers of yours, --backends starts toy ones: one of the two. The store flags are for toy
backends. A key ring stands in --secrets-file or HOLDFAST_SECRETS, never on the command line. All of it: docs/proxy.md`;

/** Groups the flags by what they are for, and shows how they are used together. */
export function proxyHelp<T>(yargs: Argv<T>): Argv<T> {
  const { known } = flagsOf(yargs);
  for (const [title, flags] of Object.entries(groups)) {
    yargs.group(
      flags.filter(flag => known.includes(flag)),
      title,
    );
  }
  for (const [line, what] of examples) yargs.example(line, what);
  return yargs.epilogue(conflicts.replaceAll('\n', ' '));
}
