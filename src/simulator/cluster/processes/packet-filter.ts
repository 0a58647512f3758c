import { describeEnd, type RunShell } from './run-program.js';

/** A rule for the packets of a link. Either the kernel drops a percentage of them at random, in both directions. Or it
 * refuses each packet to the port with a reset, as the firewall of a server does: answers on the way still arrive. */
export type PacketRule = { readonly lostPercent: number } | 'refuse';

/** Counts of the kernel since the rule was set. */
export interface PacketCounts {
  /** Packets that belong to the link, and those among them that were lost or refused. */
  readonly packets: number;
  readonly struck: number;
  readonly struckBytes: number;
}

/** A rule of the kernel's packet filter for one link. */
export interface PacketFilter {
  counts(): Promise<PacketCounts>;
  /** Removes this rule and no other. Packets of open connections are then sent again by the kernel. Call it once. */
  remove(): Promise<void>;
}

/** A call of iptables takes some 5 ms. */
const filterWithinMs = 5_000;
let filters = 0;

/**
 * Sets a rule for the TCP packets of a loopback port, handshakes included. Each filter has a chain of its own, and one
 * transaction sets or removes everything. It must run in a network of the lab's own:
 *
 *     packet --> INPUT --[ from or to the port? ]--> chain [ count, strike? ] --> socket
 *
 * Packets are struck where they arrive. A sender whose packet is struck where it leaves would learn that at once.
 */
export async function filterPackets(shell: RunShell, port: number, rule: PacketRule): Promise<PacketFilter> {
  filters += 1;
  const chain = `holdfast-${filters}`;
  await runFilter(shell, restoreCommand(rulesFor(chain, port, rule)));
  return {
    counts: async () => parseCounts(await runFilter(shell, `iptables -n -v -x -L ${chain}`)),
    remove: async () => void (await runFilter(shell, restoreCommand(removalOf(chain, port, rule)))),
  };
}

/** Returns the shell command that applies these lines in one transaction and leaves all other rules alone. */
export function restoreCommand(lines: readonly string[]): string {
  return `iptables-restore --noflush <<'END'\n*filter\n${lines.join('\n')}\nCOMMIT\nEND\n`;
}

/** Returns the lines that set a rule. The first rule of the chain counts every packet, the last one strikes. */
export function rulesFor(chain: string, port: number, rule: PacketRule): readonly string[] {
  return [
    `:${chain} - [0:0]`,
    `-A ${chain}`,
    ...strikeOf(rule).map(line => `-A ${chain} ${line}`),
    ...jumpsTo(chain, port, rule).map(line => `-A ${line}`),
  ];
}

function removalOf(chain: string, port: number, rule: PacketRule): readonly string[] {
  return [...jumpsTo(chain, port, rule).map(line => `-D ${line}`), `-F ${chain}`, `-X ${chain}`];
}

function jumpsTo(chain: string, port: number, rule: PacketRule): readonly string[] {
  const sides = rule === 'refuse' ? ['dport'] : ['dport', 'sport'];
  return sides.map(side => `INPUT -p tcp -m tcp --${side} ${port} -j ${chain}`);
}

function strikeOf(rule: PacketRule): readonly string[] {
  // A connection that its one end has given up must also end at the other.
  if (rule === 'refuse')
    return ['-p tcp -m tcp --tcp-flags RST RST -j RETURN', '-p tcp -j REJECT --reject-with tcp-reset'];
  if (rule.lostPercent >= 100) return ['-j DROP'];
  return [`-m statistic --mode random --probability ${rule.lostPercent / 100} -j DROP`];
}

/** Parses what `iptables -n -v -x -L <chain>` prints: two lines of head, then a line of counts for each rule. */
export function parseCounts(listed: string): PacketCounts {
  const rules = [...listed.matchAll(/^\s*(\d+)\s+(\d+)\s/gm)].map(([, packets, bytes]) => [packets, bytes].map(Number));
  const [packets = 0] = rules[0] ?? [];
  const [struck = 0, struckBytes = 0] = rules.at(-1) ?? [];
  return { packets, struck, struckBytes };
}

async function runFilter(shell: RunShell, command: string): Promise<string> {
  const end = await shell(command, filterWithinMs, new AbortController().signal);
  if (end.ok) return end.printed;
  throw new Error(`iptables ${describeEnd(end)}`);
}
