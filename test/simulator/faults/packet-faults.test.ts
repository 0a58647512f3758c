import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { expect } from 'chai';
import { packageFile } from '#src/shared/package.js';
import type { Cluster } from '#src/simulator/cluster/cluster.js';
import { ownNetworkCommand } from '#src/simulator/cluster/processes/own-network.js';
import {
  type PacketRule,
  parseCounts,
  restoreCommand,
  rulesFor,
} from '#src/simulator/cluster/processes/packet-filter.js';
import { LabError } from '#src/simulator/errors.js';
import { faults } from '#src/simulator/faults/kinds/registry.js';
import { makePlan } from '#src/simulator/plan/plan.js';
import { readScenario } from '#src/simulator/scenario/file.js';
import { simulate } from '#src/simulator/simulate.js';
import { program } from '../processes.js';

const run = promisify(execFile);

const evidence: Readonly<Record<string, RegExp>> = {
  loss: /^the kernel lost [1-9]\d* of \d+ packets$/,
  drop: /^no answer through it within 250 ms, [1-9]\d* packets dropped by the kernel$/,
  refuse: /^port \d+ refuses connections, [1-9]\d* packets refused by the kernel$/,
};

describe('faults of packets', function () {
  this.timeout(60_000);

  it('are confirmed by the kernel, heal twice, and leave open connections and other rules alone', async () => {
    const { command, args, env } = ownNetworkCommand([process.execPath, program('packet-faults')]);
    const { stdout } = await run(command, args, { env });
    const rows = stdout
      .trim()
      .split('\n')
      .map(line => JSON.parse(line));
    expect(rows).to.have.length(6);
    for (const { name, target, evidence: seen, open, ...row } of rows) {
      const what = `${name} of ${target}`;
      expect(seen, what).to.match(evidence[name] ?? expect.fail(what));
      expect(open, what).to.equal(name === 'refuse' ? 'reset' : 'answered');
      const rules = ['-A INPUT -p tcp -m tcp --dport 9 -j DROP'];
      expect(row, what).to.deep.equal({ before: false, direct: true, healed: true, rules });
    }
  });

  it('are possible for an ordinary user, who keeps the own id', async () => {
    const isRoot = process.getuid?.() === 0;
    const rules: PacketRule[] = [{ lostPercent: 30 }, 'refuse'];
    const script = `id -u && ${restoreCommand(rules.flatMap((rule, index) => rulesFor(`try-${index}`, 9, rule)))}`;
    const { command, args, env } = ownNetworkCommand(['sh', '-c', script], false);
    const { stdout } = await run(command, args, { env, cwd: '/', ...(isRoot && { uid: 65_534, gid: 65_534 }) });
    expect(Number(stdout)).to.equal(isRoot ? 65_534 : process.getuid?.());
  });

  it('are refused in the network of the machine', async () => {
    const scenario = await readScenario(packageFile('scenarios/drop-one.yaml'));
    const options = { onProgress: () => undefined, signal: new AbortController().signal };
    const refused = await simulate(scenario, 'sticky', makePlan(scenario, 1), options).catch((error: Error) => error);
    expect(refused).to.be.instanceOf(LabError);
    const fault = faults.drop?.make('proxy->backend-1');
    const link = { port: 9 };
    const unset = await fault?.inject({ link: () => link } as unknown as Cluster).catch((error: Error) => error);
    expect(String(unset), 'also when the check was forgotten').to.include('the lab has no network of its own');
    expect(String(refused)).to.include('the lab has no network of its own (fault drop strikes proxy->backend-1)');
  });

  for (const [listed, counts] of [
    ['', { packets: 0, struck: 0, struckBytes: 0 }],
    [
      'Chain holdfast-1 (2 references)\n    pkts      bytes target     prot opt in     out     source               destination\n' +
        '      40     4000            0    --  *      *       0.0.0.0/0            0.0.0.0/0\n' +
        '       5      200 RETURN     6    --  *      *       0.0.0.0/0            0.0.0.0/0            tcp flags:0x04/0x04\n' +
        '      12      720 REJECT     6    --  *      *       0.0.0.0/0            0.0.0.0/0            reject-with tcp-reset\n',
      { packets: 40, struck: 12, struckBytes: 720 },
    ],
  ] as const)
    it(`count ${counts.struck} of ${counts.packets} packets as the kernel lists them`, () =>
      expect(parseCounts(listed)).to.deep.equal(counts));
});
