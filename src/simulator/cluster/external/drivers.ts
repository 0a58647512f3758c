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

/** An entry of `drivers`. */
interface MemberDriver extends DriverCommands {
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

/** Reverses the lines: containers are listed with the newest first. Leaves out those that are not ready. */
const readyOldestFirst = `printf '%s\\n' "$found" | awk -F '|' '$2 !~ /unhealthy|starting|Paused/ { lines[++count] = $1 " " $3 } END { for (; count > 0; count--) print lines[count] }'`;

/**
 * Returns the commands for containers of a program with the command line of Docker. `serviceOf` is the template of the
 * service that Compose gives a container; its answers often have that name. A container also answers with its id, which
 * is its host name.
 */
function containerCommands(program: string, serviceOf: string): DriverCommands {
  return {
    // In a pipe, a program that fails would look like an empty list.
    list: `found=$(${program} ps --filter label={selector} --filter status=running --format '{{.Names}} {{.ID}}|{{.Status}}|${serviceOf}') || exit 1; ${readyOldestFirst}`,
    // Code 126: Docker itself does not answer, which must not pass for the end of a container.
    alive: `state=$(${program} inspect --type container --format '{{.State.Status}}, exit code {{.State.ExitCode}}' {member} 2>/dev/null) || { ${program} ps --quiet >/dev/null || exit 126; state='the container is gone'; }; echo "$state"; case "$state" in running*) ;; *) exit 1 ;; esac`,
    kill: `${program} kill --signal KILL {member}`,
    hang: `${program} pause {member}`,
    resume: `${program} unpause {member}`,
    stop: `${program} stop {member}`,
    start: `${program} start {member}`,
  };
}

const docker: MemberDriver = {
  summary: 'containers of Docker: `docker kill`, `pause`, `unpause`, `stop`, `start`',
  selects: 'a label of the containers: `app=shop`, or `com.docker.compose.service=web`',
  program: 'docker',
  ...containerCommands('docker', '{{.Label "com.docker.compose.service"}}'),
};

const podman: MemberDriver = {
  summary: 'containers of Podman: `podman kill`, `pause`, `unpause`, `stop`, `start`',
  selects: 'a label of the containers: `app=shop`, or `com.docker.compose.service=web`',
  program: 'podman',
  ...containerCommands('podman', '{{index .Labels "com.docker.compose.service"}}'),
};

/** Prints one line for each pod: its name, a column of the caller, whether it is being deleted, whether it is ready. */
const listPods = (column: string) =>
  `pods=$(kubectl get pods -l {selector} --sort-by=.metadata.creationTimestamp -o jsonpath='{range .items[*]}{.metadata.name} ${column}|{.metadata.deletionTimestamp}|{.status.conditions[?(@.type=="Ready")].status}{"\\n"}{end}') || exit 1; printf '%s\\n' "$pods" | sed -n 's/ *||True$//p'`;

const podReadiness = `{.status.conditions[?(@.type=="Ready")].status}`;

const whyNoFreeze =
  'kubectl cannot freeze a pod: the kernel ignores SIGSTOP to process 1 from inside its container. Set system.members.hang and resume if the app is another process of its container';

/** Deletes pods. Their controller makes others under other names, so there is no `start`. */
const kubectl: MemberDriver = {
  summary: 'pods of Kubernetes: `kubectl delete pod`; their deployment makes others. `deploy` changes the deployment',
  selects: 'a label of the pods and of their deployment: `app=shop`',
  program: 'kubectl',
  list: listPods(''),
  // Code 126: the API gave no answer, which must not pass for the end of the pod. A pod that is being deleted may still
  // serve, so it counts as alive until it is gone.
  alive: `state=$(kubectl get pod {member} --ignore-not-found -o jsonpath='{.metadata.deletionTimestamp}|${podReadiness}') || exit 126; case "$state" in '') echo 'the pod is gone'; exit 1 ;; '|True') echo 'the pod is ready' ;; '|'*) echo 'the pod is not ready'; exit 1 ;; *) echo 'the pod is being deleted' ;; esac`,
  // SIGTERM and, two seconds later, SIGKILL. A forced deletion would leave the process its whole grace period.
  kill: 'kubectl delete pod {member} --now --wait=false',
  stop: 'kubectl delete pod {member} --wait=false',
  lacks: { hang: whyNoFreeze, resume: whyNoFreeze },
  deploy: {
    workload: `kubectl get deployments -l {selector} -o jsonpath='{range .items[*]}{.metadata.name} {.metadata.annotations.deployment\\.kubernetes\\.io/revision}{"\\n"}{end}'`,
    // While the deployment is paused, both changes become one revision.
    rollOut: `kubectl rollout pause deployment/{workload} && { kubectl set env deployment/{workload} {variables} && { test -z {image} || kubectl set image deployment/{workload} '*='{image}; }; code=$?; kubectl rollout resume deployment/{workload} && exit $code; }`,
    isDone: 'kubectl rollout status deployment/{workload} --timeout={within}',
    rollBack: `kubectl rollout resume deployment/{workload} >/dev/null 2>&1; kubectl rollout undo deployment/{workload} --to-revision={revision}`,
    versions: listPods('{.spec.containers[*].env[?(@.name=="BACKEND_VERSION")].value}'),
  },
};

/** Sorts the units of the pattern by the time of their start, and prints those that are active. */
const listUnits = `systemctl show --property=Id,ActiveState,ActiveEnterTimestampMonotonic {selector} | awk -F= '$1 == "Id" { id = $2 } $1 == "ActiveState" { state = $2 } $1 == "ActiveEnterTimestampMonotonic" { since = $2 } /^$/ { flush() } END { flush() } function flush() { if (state == "active") print since, id; state = "" }' | sort -n | cut -d ' ' -f 2`;

const systemd: MemberDriver = {
  summary:
    'units of systemd: `systemctl kill`, `stop`, `start`; `hang` is SIGSTOP to every process of the unit, `resume` is SIGCONT',
  selects: 'the name of a unit, or a pattern: `shop@*.service`',
  program: 'systemctl',
  list: listUnits,
  // Code 126: systemd itself does not answer, which must not pass for the end of a unit.
  alive: `state=$(systemctl is-active {member}); test -n "$state" || exit 126; echo "$state"; test "$state" = active && ! ps -o stat= -p "$(systemctl show --property=MainPID --value {member})" | grep -q '^T'`,
  kill: 'systemctl kill --signal=KILL {member}',
  hang: 'systemctl kill --signal=STOP {member}',
  resume: 'systemctl kill --signal=CONT {member}',
  stop: 'systemctl stop {member}',
  start: 'systemctl start {member}',
};

/** Every driver that `system.members.driver` can name. A new one is one constant above, and one name here. */
export const drivers: Readonly<Record<string, MemberDriver>> = { docker, podman, kubectl, systemd };
