import * as z from 'zod';
import type { DriverCommands, MembersSpec } from '../cluster/external/driver.js';
import { drivers } from '../cluster/external/drivers/registry.js';
import { findUnknownPlaceholder } from '../cluster/own-backend.js';
import { duration, map, oneOf, text } from './values.js';
import { isMap } from './yaml.js';

/** Schema of `system.members`: how faults strike the members of a system that the lab did not start. */

const placeholders = ['member', 'selector'];

function command(what: string) {
  return text('a command such as "docker kill {member}"', /\S/)
    .superRefine((written, context) => {
      const strange = findUnknownPlaceholder(written, placeholders);
      if (strange === undefined) return;
      const known = placeholders.map(name => `{${name}}`).join(' or ');
      context.addIssue({ code: 'custom', message: `found {${strange}}, expected ${known}` });
    })
    .describe(what);
}

const ownCommands = map('system.members.driver', {
  list: command(
    'Prints the members that are ready, the oldest first, one on each line. Further words of a line are names that answers may give it. Default: those names of the selector that are alive.',
  ).optional(),
  alive: command('Ends with code 0 if the member serves: it runs, and it does not hang.'),
  kill: command('Ends the member at once.').optional(),
  hang: command('Freezes the member.').optional(),
  resume: command('Undoes "hang".').optional(),
  stop: command('Asks the member to end.').optional(),
  start: command('Starts the member again. Leave it out if something else replaces the member.').optional(),
});

const driverName = oneOf('driver', Object.keys(drivers));

export const members = map('system.members', {
  driver: z
    .union([driverName, ownCommands], {
      // Without a message, the problems of the single commands are reported.
      error: ({ input }) => (isMap(input) ? '' : driverName.safeParse(input).error?.issues[0]?.message),
    })
    .describe('What runs the members, or commands of your own. {member} and {selector} are filled in.'),
  selector: text('what chooses the members, such as app=shop', /^[\w.@:/=, *?!()[\]-]{1,200}$/).describe(
    'Chooses the members: a label of containers, a pattern of units, or for commands of your own what "list" expects.',
  ),
  'named-by': text('the name of a response header', /^[\w!#$%&'*+.^`|~-]+$/)
    .optional()
    .describe('The response header in which an answer names its member. Default: Holdfast-Backend.'),
  within: duration(1, '2min').prefault('15s').describe('Time limit of each command, and of each wait for its effect.'),
});

/** Returns the commands of a driver: those of the registry, or those of the user. */
export function commandsOf(driver: string | DriverCommands): DriverCommands {
  const commands = typeof driver === 'string' ? drivers[driver] : driver;
  if (commands === undefined) throw new Error(`no driver "${String(driver)}"`);
  return commands;
}

export function toMembers({ driver, selector, within, 'named-by': namedBy }: z.output<typeof members>): MembersSpec {
  return {
    driver: typeof driver === 'string' ? driver : undefined,
    commands: commandsOf(driver),
    selector,
    namedBy,
    withinMs: within,
  };
}
