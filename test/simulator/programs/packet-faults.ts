/** Strikes the packets of two links in turn, and prints what each fault showed as one JSON line. It runs in a network of
 * its own, in which it first sets a rule that no fault may touch. */
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { connect } from 'node:net';
import type { Cluster } from '#src/simulator/cluster/cluster.js';
import { endsOf } from '#src/simulator/cluster/targets.js';
import { faults } from '#src/simulator/faults/kinds/registry.js';
import { program, quickProxy, withCluster } from '../processes.js';

const links = ['proxy->backend-1', 'backend-1->redis'];
const kinds = [
  { name: 'loss', options: { percent: 30 } },
  { name: 'drop', options: {} },
  { name: 'refuse', options: {} },
];
const backends = { count: 1, env: {}, program: program('orderly-backend') };

execFileSync('iptables', ['-A', 'INPUT', '-p', 'tcp', '--dport', '9', '-j', 'DROP']);
await withCluster({ mode: 'redis', backends, stores: ['redis'], proxy: quickProxy, links }, async cluster => {
  for (const link of links) for (const kind of kinds) console.log(JSON.stringify(await strike(cluster, link, kind)));
});

async function strike(cluster: Cluster, target: string, { name, options }: (typeof kinds)[number]) {
  const link = cluster.link(target);
  const member = cluster.member(endsOf(target)?.[1] ?? '');
  const fault = faults[name]?.make(target, options);
  if (fault === undefined) throw new Error(`no fault ${name}`);
  const socket = connect(link.port, '127.0.0.1');
  await once(socket, 'connect');
  await fault.heal(cluster); // never injected: nothing to undo
  const before = await fault.confirm(cluster);
  await fault.inject(cluster);
  const evidence = await fault.confirm(cluster);
  const direct = await member.answers(1_000);
  socket.write(member.role === 'store' ? 'PING\r\n' : 'GET /health HTTP/1.1\r\nHost: a\r\n\r\n');
  // A connection that was open before either gets its answer after the healing, or was reset.
  const ended = new Promise(resolve => {
    socket.on('data', () => resolve('answered'));
    socket.on('error', () => resolve('reset'));
  });
  if (name === 'refuse') await ended;
  await fault.heal(cluster);
  const open = await ended;
  socket.destroy();
  const healed = await member.answers(1_000, link.port);
  await fault.heal(cluster);
  const rules = execFileSync('iptables', ['-S'], { encoding: 'utf8' })
    .split('\n')
    .filter(line => !/^$|^-P/.test(line));
  return { name, target, before, evidence, direct, open, healed, rules };
}
