import { quoteForShell } from '../../../shared/text.js';

/**
 * Commands that reach members which the lab did not start. They are data: a shell runs them, with a time limit, and they
 * end with the lab. `{selector}` stands for `system.members.selector`, and `{member}` for one name that `list` printed.
 * Both are quoted for the shell where that is necessary.
 */
export interface DriverCommands {
  /** Prints the members that are ready, the oldest first. Each line has the name of a member, and after a blank further
   * names that its answers may give. Absent: the selector lists the names, and those that are alive are ready. */
  readonly list?: string | undefined;
  /** Ends with code 0 if the member serves: it runs, and it does not hang. Its output is kept as evidence. */
  readonly alive: string;
  readonly kill?: string | undefined;
  /** Freezes the member without an end. */
  readonly hang?: string | undefined;
  readonly resume?: string | undefined;
  /** Asks the member to end. */
  readonly stop?: string | undefined;
  /** Starts the member again. Absent: something else replaces it, and healing waits for that. */
  readonly start?: string | undefined;
}

export type DriverVerb = Exclude<keyof DriverCommands, 'list' | 'alive'>;

/**
 * Commands that replace the version of the members. `{workload}` and `{revision}` are what `workload` printed, and
 * `{variables}` stands for any number of words such as `COLOUR=green`.
 */
export interface DeployCommands {
  /** Prints the name of what makes the members, and the number of the revision that it runs: `shop 4`. */
  readonly workload: string;
  /** Begins to roll out a new revision with `{variables}`, and with `{image}` unless that is empty. */
  readonly rollOut: string;
  /** Waits for the end of a rollout, at most `{within}`. */
  readonly isDone: string;
  /** Begins to bring `{revision}` back. Does nothing when it still runs. */
  readonly rollBack: string;
  /** Prints the ready members, each with the value of its variable BACKEND_VERSION after a blank. */
  readonly versions: string;
}

/** Driver of the registry (`drivers/registry.ts`). */
export interface MemberDriver extends DriverCommands {
  /** One line for the table in docs/containers.md. */
  readonly summary: string;
  /** Says what `selector` means to it, with an example, for the same table. */
  readonly selects: string;
  /** The program that the commands use: a command in src/shared/tools.mjs. */
  readonly program: string;
  /** Says for a verb why there is no command, and what to do. */
  readonly lacks?: Partial<Record<DriverVerb, string>>;
  /** Absent: it cannot replace the version of the members. */
  readonly deploy?: DeployCommands;
}

/** How the members of a running system are found and struck. */
export interface MembersSpec {
  /** A key of the registry. Undefined: the commands are those of the user. */
  readonly driver?: string | undefined;
  readonly commands: DriverCommands;
  readonly selector: string;
  /** The response header in which an answer names its member. Undefined: the header of the toy shop. */
  readonly namedBy?: string | undefined;
  /** Time limit of each command, and of each wait for its effect. */
  readonly withinMs: number;
}

/** One member as `list` printed it. */
export interface ListedMember {
  readonly name: string;
  /** All names that answers may give, `name` included. */
  readonly names: readonly string[];
}

const plainName = /^[A-Za-z0-9_](?:[\w.@:/\\-]{0,251}[\w\\-])?$/;

/** Parses the output of `list`. Throws when a line has a name that no container, pod or unit can have. */
export function parseList(output: string): readonly ListedMember[] {
  const lines = output.split('\n').map(line => line.trim().split(/\s+/));
  return lines.flatMap(([name = '', ...others]) => {
    if (name === '') return [];
    if (!plainName.test(name)) throw new Error(`"list" printed ${JSON.stringify(name)}, expected the name of a member`);
    return [{ name, names: [name, ...others] }];
  });
}

/** Fills in the placeholders of a command. The values are data to the shell, whatever characters they have. A list
 * becomes one word for each value. */
export function fillCommand(
  command: string,
  values: Readonly<Record<string, string | readonly string[] | undefined>>,
): string {
  return command.replaceAll(/\{([a-z]+)\}/g, (whole, name) => {
    const value = values[name];
    return value === undefined ? whole : [value].flat().map(quoteForShell).join(' ');
  });
}
