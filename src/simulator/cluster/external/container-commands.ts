import type { DriverCommands } from './driver.js';

/** Reverses the lines: containers are listed with the newest first. Leaves out those that are not ready. */
const readyOldestFirst = `printf '%s\\n' "$found" | awk -F '|' '$2 !~ /unhealthy|starting|Paused/ { lines[++count] = $1 " " $3 } END { for (; count > 0; count--) print lines[count] }'`;

/**
 * Returns the commands for containers of a program with the command line of Docker. `serviceOf` is the template of the
 * service that Compose gives a container; its answers often have that name. A container also answers with its id, which
 * is its host name.
 */
export function containerCommands(program: string, serviceOf: string): DriverCommands {
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
