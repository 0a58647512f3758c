import { cleanEndInWords, describeExit, type Exit, isCleanEnd, type LabProcess, type StrikeVerb } from '../cluster.js';
import { isStopped, portRefuses, waitUntil } from '../probe.js';

const killedWithinMs = 2_000;
const endedWithinMs = 5_000;
const goneWithinMs = 1_000;
const stoppedWithinMs = 1_000;
/** A live process on loopback answers within a few milliseconds. */
const silentForMs = 250;

/** Checks in the kernel and at the port that a process was killed, has ended or hangs. See `ClusterMember.confirm`. */
export function confirmStrike(member: LabProcess, verb: StrikeVerb): Promise<string | false> {
  if (verb === 'hang') return confirmHang(member);
  return verb === 'kill' ? confirmKill(member) : confirmEnd(member);
}

async function confirmKill(member: LabProcess): Promise<string | false> {
  const exit = await member.waitExit(killedWithinMs);
  return exit?.signal === 'SIGKILL' && describeGone(member, exit);
}

async function confirmEnd(member: LabProcess): Promise<string | false> {
  const exit = await member.waitExit(endedWithinMs);
  if (exit !== undefined && isCleanEnd(exit)) return describeGone(member, exit);
  const did = exit === undefined ? `did not end within ${endedWithinMs / 1000} s` : describeExit(exit);
  throw new Error(`${member.name} ${did}, expected it to end at SIGTERM ${cleanEndInWords}`);
}

async function confirmHang(member: LabProcess): Promise<string | false> {
  const { pid } = member;
  if (pid === undefined || !(await waitUntil(() => isStopped(pid), stoppedWithinMs))) return false;
  member.mark('stopped');
  return !(await member.answers(silentForMs)) && `stopped by SIGSTOP; no answer within ${silentForMs} ms`;
}

/** Says how the member ended and that its port refuses connections. Returns false when the port still accepts. The
 * shell of an app may end a moment before the process that listens, although one signal killed both. */
async function describeGone({ port }: LabProcess, exit: Exit): Promise<string | false> {
  return (
    (await waitUntil(() => portRefuses(port), goneWithinMs)) &&
    `${describeExit(exit)}; port ${port} refuses connections`
  );
}
