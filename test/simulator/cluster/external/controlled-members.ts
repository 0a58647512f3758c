import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { LabCluster, LabProcess } from '#src/simulator/cluster/cluster.js';
import type { DriverCommands, MembersSpec } from '#src/simulator/cluster/external/drivers.js';

/** Members of a lab that another lab strikes by commands, as if the first lab were a system that already runs. */
export interface ControlledMembers {
  readonly spec: MembersSpec;
  /** What each command was asked to do: `kill backend-2`. */
  readonly asked: string[];
  /** Makes a verb fail from now on: after it has done its work, or without doing it. */
  readonly broken: Map<string, 'after' | 'before'>;
}

const verbs: Readonly<Record<string, (member: LabProcess) => Promise<unknown>>> = {
  kill: async member => {
    await member.kill();
    await member.waitEnd(2_000);
  },
  stop: async member => {
    await member.stop();
    await member.waitEnd(2_000);
  },
  hang: member => member.hang(),
  resume: member => member.resume(),
  start: member => member.start(),
};

/** Serves the backends of a lab to commands of curl. `app-backend-1` is the name of a member; answers say `backend-1`. */
export async function withControlledMembers<T>(
  cluster: LabCluster,
  use: (controlled: ControlledMembers) => Promise<T>,
): Promise<T> {
  const asked: string[] = [];
  const broken: ControlledMembers['broken'] = new Map();
  const backends = cluster.members.filter(({ role }) => role === 'backend');
  const act = async (verb: string, name: string): Promise<boolean> => {
    if (verb === 'alive') return cluster.member(name).answers(300);
    asked.push(`${verb} ${name}`);
    if (broken.get(verb) !== 'before') await verbs[verb]?.(cluster.member(name));
    return !broken.has(verb);
  };
  const server: Server = createServer(async ({ url = '' }, response) => {
    const [, verb = '', name = ''] = url.split('/');
    if (verb === 'list') {
      const ready = await Promise.all(backends.map(member => member.answers(300)));
      response.end(
        backends.flatMap((backend, index) => (ready[index] ? [`app-${backend.name} ${backend.name}`] : [])).join('\n'),
      );
      return;
    }
    const isDone = await act(verb, name.replace(/^app-/, ''));
    response.writeHead(isDone ? 200 : 500).end(isDone ? 'done' : `cannot ${verb} ${name}`);
  });
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const curl = (path: string) => `curl --silent --show-error --fail-with-body http://127.0.0.1:${port}/${path}`;
  const own = Object.fromEntries(Object.keys(verbs).map(verb => [verb, curl(`${verb}/{member}`)]));
  const commands: DriverCommands = { list: curl('list'), alive: curl('alive/{member}'), ...own };
  try {
    return await use({ spec: { commands, selector: 'app=shop', withinMs: 5_000 }, asked, broken });
  } finally {
    server.closeAllConnections();
    await new Promise(resolve => server.close(resolve));
  }
}
