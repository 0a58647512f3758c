import type { MemberDriver } from '../driver.js';

/** Sorts the units of the pattern by the time of their start, and prints those that are active. */
const list = `systemctl show --property=Id,ActiveState,ActiveEnterTimestampMonotonic {selector} | awk -F= '$1 == "Id" { id = $2 } $1 == "ActiveState" { state = $2 } $1 == "ActiveEnterTimestampMonotonic" { since = $2 } /^$/ { flush() } END { flush() } function flush() { if (state == "active") print since, id; state = "" }' | sort -n | cut -d ' ' -f 2`;

export const systemd: MemberDriver = {
  summary:
    'units of systemd: `systemctl kill`, `stop`, `start`; `hang` is SIGSTOP to every process of the unit, `resume` is SIGCONT',
  selects: 'the name of a unit, or a pattern: `shop@*.service`',
  program: 'systemctl',
  list,
  // Code 126: systemd itself does not answer, which must not pass for the end of a unit.
  alive: `state=$(systemctl is-active {member}); test -n "$state" || exit 126; echo "$state"; test "$state" = active && ! ps -o stat= -p "$(systemctl show --property=MainPID --value {member})" | grep -q '^T'`,
  kill: 'systemctl kill --signal=KILL {member}',
  hang: 'systemctl kill --signal=STOP {member}',
  resume: 'systemctl kill --signal=CONT {member}',
  stop: 'systemctl stop {member}',
  start: 'systemctl start {member}',
};
