/** Starts a cluster in the given mode, and prints its processes as one JSON line. It then runs until it is killed.
 * SIGUSR2: `killNow`, exit. */
import { killNow } from '#src/simulator/cluster/processes/janitor.js';
import { startCluster } from '#src/simulator/cluster/start-cluster.js';

process.on('SIGINT', () => undefined);
process.on('SIGUSR2', () => {
  killNow();
  process.exit(130);
});

const mode = process.argv[2] === 'postgres' ? 'postgres' : 'redis';
const spec = { mode, backends: { count: 1, env: {} }, stores: [mode] } as const;
const cluster = await startCluster(spec, new AbortController().signal, () => undefined);
// A stopped process is the hard case for whoever cleans up.
cluster.member('backend-1').signal('SIGSTOP');
if (mode === 'postgres') cluster.member('postgres').signal('SIGSTOP');
console.log(JSON.stringify(cluster.members.map(({ name, pid, port }) => ({ name, pid, port }))));
setInterval(() => undefined, 1_000);
