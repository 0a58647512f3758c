import { quoteForShell } from '../shared/text.js';
import { isAtLeast, nodeLeast, type Tool, tools } from '../shared/tools.mjs';
import { type Installer, type InstallPlan, planInstall } from './install.mjs';

/** A program on this machine. */
export interface ProgramFact {
  readonly file: string;
  /** Undefined when it prints none. */
  readonly version: string | undefined;
  /** Why its version cannot be asked. */
  readonly problem: string | undefined;
}

/** The npm package with the programs of PostgreSQL for this platform. It is an optional dependency. */
export interface PostgresFact {
  readonly name: string;
  /** The version that package.json names. Undefined: there is no such package for this platform. */
  readonly offered: string | undefined;
  /** Undefined when it is not installed. */
  readonly version: string | undefined;
  readonly problem: string | undefined;
  /** The folder in which npm installs it. Undefined: Holdfast is installed for all projects of this machine. */
  readonly project: string | undefined;
}

/** Everything that was seen on this machine: plain data. */
export interface Facts {
  readonly node: string;
  readonly platform: NodeJS.Platform;
  readonly installer: Installer;
  /** By the name of the tool. A program that is missing has no entry. */
  readonly programs: Readonly<Record<string, ProgramFact>>;
  readonly postgres: PostgresFact;
  /** Says why the lab cannot have a network of its own. */
  readonly noOwnNetwork: string | undefined;
  /** Says why no server can listen on 127.0.0.1. */
  readonly noLoopback: string | undefined;
  readonly takenPorts: readonly number[];
  /** The most files that a process may open. */
  readonly filesMax: number;
  /** True in a clone, which has tests. */
  readonly isClone: boolean;
}

export interface Diagnosis {
  readonly name: string;
  readonly group: Tool['group'] | 'machine';
  readonly state: 'ok' | 'missing' | 'old' | 'broken';
  /** The version and the place, or what is wrong. */
  readonly found: string;
  /** Names what does not work otherwise. */
  readonly use: string;
  /** Says what a user types or does. Undefined when it is ok. */
  readonly remedy: string | undefined;
}

export const watchedPorts = [8080, 8081, 8090] as const;
const filesLeast = 1024;

/** Compares what was seen with what Holdfast needs. Lists what is needed first. */
export function diagnose(facts: Facts): readonly Diagnosis[] {
  const { platform, isClone } = facts;
  const listed = Object.entries(tools).filter(
    ([, { onlyLinux, group }]) => (!onlyLinux || platform === 'linux') && (group !== 'tests' || isClone),
  );
  const findings = listed.map(([name, tool]) => judgeTool(name, tool, facts));
  const needed = findings.filter(({ group }) => group === 'needed');
  const others = findings.filter(({ group }) => group !== 'needed');
  return [
    judgeNode(facts),
    ...needed,
    judgePostgres(facts),
    judgeLoopback(facts),
    judgeNetwork(facts),
    ...others,
    ...judgeMachine(facts),
  ];
}

/** Returns how to install what is missing or too old. Each plan is a call of one package manager. */
export function planRepairs(findings: readonly Diagnosis[], facts: Facts): readonly InstallPlan[] {
  const lacking = findings.filter(({ state }) => state === 'missing' || state === 'old').map(({ name }) => name);
  const wanted = lacking.flatMap(name => tools[name] ?? []);
  return [
    ...(wanted.length > 0 ? [planInstall(wanted, facts.installer)] : []),
    ...(lacking.includes('postgres') ? [planPostgres(facts.postgres)] : []),
  ];
}

function judgeNode({ node }: Facts): Diagnosis {
  const isOld = !isAtLeast(node, nodeLeast);
  return {
    name: 'node',
    group: 'needed',
    state: isOld ? 'old' : 'ok',
    found: isOld ? `${node}, needs ${nodeLeast} or later` : node,
    use: 'everything',
    remedy: isOld ? 'nvm install 20   (or any later version)' : undefined,
  };
}

function judgeTool(name: string, tool: Tool, { programs, installer }: Facts): Diagnosis {
  const { group, use, least, otherwise, asks = ['--version'] } = tool;
  const common = { name, group, use };
  const fact = programs[name];
  const orElse = otherwise === undefined ? '' : `, or use ${otherwise}`;
  const install = `${planInstall([tool], installer).short}${orElse}`;
  if (fact === undefined) return { ...common, state: 'missing', found: '', remedy: install };
  const { file, version, problem } = fact;
  if (problem !== undefined) {
    const remedy = `${[file, ...(asks || [])].join(' ')}   (run it by hand to see what happens)${orElse}`;
    return { ...common, state: 'broken', found: `${file} ${problem}`, remedy };
  }
  const place = version === undefined ? `its version is unknown (${file})` : `${version} (${file})`;
  if (least !== undefined && version !== undefined && !isAtLeast(version, least))
    return { ...common, state: 'old', found: `${place}, needs ${least} or later`, remedy: install };
  return { ...common, state: 'ok', found: place, remedy: undefined };
}

function judgePostgres({ postgres }: Facts): Diagnosis {
  const { name, version, problem } = postgres;
  const common = {
    name: 'postgres',
    group: 'needed',
    use: 'the mode postgres, the command start, and the scenarios postgres-*',
  } as const;
  const server = 'name a server of yours with --postgres-url';
  if (problem !== undefined) return { ...common, state: 'broken', found: `${name} ${problem}`, remedy: server };
  if (version !== undefined) return { ...common, state: 'ok', found: `${version} (${name})`, remedy: undefined };
  const { isAllowed, line } = planPostgres(postgres);
  return { ...common, state: 'missing', found: '', remedy: isAllowed ? `${line}, or ${server}` : line };
}

function planPostgres({ name, offered, project }: PostgresFact): InstallPlan {
  const common = { commands: [], services: [], isAllowed: false };
  if (offered === undefined) {
    const line = `name a server of yours with --postgres-url: there is no package ${name}`;
    return { ...common, line, short: line };
  }
  if (project === undefined) {
    const line = 'npm install --global --include=optional holdfast';
    return { ...common, line, short: line };
  }
  const words = ['npm', 'install', '--no-save', '--include=optional', `${name}@${offered}`];
  const line = `cd ${quoteForShell(project)} && ${words.join(' ')}`;
  const quiet = ['--no-audit', '--no-fund', '--loglevel=error'];
  return { ...common, commands: [[...words, ...quiet]], line, short: line, isAllowed: true, folder: project };
}

function judgeLoopback({ noLoopback }: Facts): Diagnosis {
  return {
    name: 'loopback',
    group: 'needed',
    state: noLoopback === undefined ? 'ok' : 'broken',
    found: noLoopback ?? 'servers can listen on 127.0.0.1',
    use: 'everything',
    remedy:
      noLoopback === undefined ? undefined : 'allow this user to listen on 127.0.0.1, for example: ip link set lo up',
  };
}

function judgeNetwork({ noOwnNetwork }: Facts): Diagnosis {
  return {
    name: 'network-namespace',
    group: 'packets',
    state: noOwnNetwork === undefined ? 'ok' : 'broken',
    found: noOwnNetwork ?? 'the lab can have a network of its own',
    use: tools.iptables?.use ?? '',
    remedy:
      noOwnNetwork === undefined
        ? undefined
        : 'on Linux: install the programs of this group, then run as root or allow user namespaces to this user',
  };
}

function judgeMachine({ takenPorts, filesMax }: Facts): readonly Diagnosis[] {
  const isShort = filesMax < filesLeast;
  const areTaken = takenPorts.length > 0;
  return [
    {
      name: 'ports',
      group: 'machine',
      state: areTaken ? 'broken' : 'ok',
      found: areTaken ? `in use: ${takenPorts.join(', ')}` : `free: ${watchedPorts.join(', ')}`,
      use: 'proxy on its default ports 8080 and 8081. The command live takes the next free port after 8090',
      remedy: areTaken ? 'choose others with --port and --admin-port; 0 takes a free one' : undefined,
    },
    {
      name: 'open-files',
      group: 'machine',
      state: isShort ? 'broken' : 'ok',
      found: `${filesMax === Number.POSITIVE_INFINITY ? 'unlimited' : filesMax} for each process`,
      use: `runs with many users or connections, which need ${filesLeast} and more`,
      remedy: isShort ? 'ulimit -n 4096   (as root, or after raising the limit nofile of this user)' : undefined,
    },
  ];
}

const titles: Readonly<Record<Diagnosis['group'], string>> = {
  needed: 'Needed',
  packets: 'Optional: faults of packets',
  proxies: 'Optional: other proxies',
  members: 'Optional: members of a running system (system.members)',
  tests: 'Optional: the tests of this clone',
  machine: 'This machine',
};

/** Colours a word by its state. */
export type Paint = (word: string, state: Diagnosis['state'], group: Diagnosis['group']) => string;

/** Draws the findings as lines in groups. A finding that is not ok also says what does not work, and what to type. */
export function drawFindings(findings: readonly Diagnosis[], columns: number, paint: Paint): string {
  const groups = (Object.keys(titles) as Diagnosis['group'][]).map(group =>
    findings.filter(finding => finding.group === group),
  );
  const nameWidth = Math.max(...findings.map(({ name }) => name.length));
  return groups
    .flatMap(group => {
      const [first] = group;
      return first === undefined ? [] : [titles[first.group], ...group.flatMap(each => linesOf(each)), ''];
    })
    .join('\n');

  function linesOf({ name, group, state, found, use, remedy }: Diagnosis): string[] {
    const indent = ' '.repeat(stateWidth + nameWidth + 6);
    const head = `  ${paint(state.padEnd(stateWidth), state, group)}  ${name.padEnd(nameWidth)}  `;
    const [line = '', ...rest] = wrap(found, columns - indent.length);
    const more = state === 'ok' ? [] : [`does not work: ${use}`, ...(remedy === undefined ? [] : [`type: ${remedy}`])];
    const below = [...rest, ...more.flatMap(text => wrap(text, columns - indent.length))];
    return [`${head}${line}`.trimEnd(), ...below.map(text => `${indent}${text}`)];
  }
}

const stateWidth = 'missing'.length;
const columnsLeast = 30;

/** Breaks a text into lines at blanks. A word that is longer than a line stays whole. */
function wrap(text: string, columns: number): readonly string[] {
  const width = Math.max(columns, columnsLeast);
  const lines: string[] = [''];
  for (const word of text.split(' ')) {
    const last = lines.at(-1) ?? '';
    if (last === '') lines[lines.length - 1] = word;
    else if (last.length + 1 + word.length <= width) lines[lines.length - 1] = `${last} ${word}`;
    else lines.push(word);
  }
  return lines;
}
