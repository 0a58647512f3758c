import type { DriverCommands } from './driver.js';

/** Reverses the lines: containers are listed with the newest first. Leaves out those that are not ready. */
const readyOldestFirst = `awk -F '|' '$2 !~ /unhealthy|starting|Paused/ { lines[++count] = $1 " " $3 } END { for (; count > 0; count--) print lines[count] }'`;

/** Prints the state of a container as evidence, and fails unless it runs and does not hang. */
const checkState = `{ read -r state && echo "$state" && case "$state" in running*) ;; *) exit 1 ;; esac; }`;

/**
 * Returns the commands for containers of a program with the command line of Docker. `serviceOf` is the template of the
 * service that Compose gives a container; its answers often have that name. A container also answers with its id, which
 * is its host name.
 */
export function containerCommands(program: string, serviceOf: string): DriverCommands {
  return {
    list: `${program} ps --filter label={selector} --filter status=running --format '{{.Names}} {{.ID}}|{{.Status}}|${serviceOf}' | ${readyOldestFirst}`,
    alive: `${program} inspect --type container --format '{{.State.Status}}, exit code {{.State.ExitCode}}' {member} | ${checkState}`,
    kill: `${program} kill --signal KILL {member}`,
    hang: `${program} pause {member}`,
    resume: `${program} unpause {member}`,
    stop: `${program} stop {member}`,
    start: `${program} start {member}`,
  };
}
