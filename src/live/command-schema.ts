import * as z from 'zod';
import { messageOf } from '../shared/error-message.js';
import { map, oneOf, sayExpected, text, wholeNumber } from '../simulator/scenario/values.js';
import { type Command, sideNames } from './protocol.js';

const side = oneOf('side', sideNames);
const sides = z
  .array(side, { error: sayExpected(`a list of sides: ${sideNames.join(', ')}`) })
  .min(1, { error: `expected at least one side: ${sideNames.join(', ')}` })
  .transform(list => [...new Set(list)]);
const printable = (what: string) => text(what, /^[\x20-\x7e]{1,100}$/);
const options = z.record(z.string(), z.unknown(), { error: sayExpected('a map of options') });

const schemas = {
  strike: {
    sides,
    fault: printable('the name of a fault, such as kill'),
    target: printable('the name of a target, such as backend-2'),
    options: options.optional(),
  },
  heal: { sides, member: printable('the name of a member, such as backend-2') },
  'set-users': { count: wholeNumber(0, 1_000_000) },
  'set-mode': { side, mode: printable('the name of a mode, such as redis') },
  'next-seed': {},
  clear: {},
} satisfies { readonly [Do in Command['do']]: z.ZodRawShape };

const commandNames = Object.keys(schemas) as readonly Command['do'][];
const anyCommand = z.looseObject(
  { do: oneOf('command', commandNames) },
  { error: sayExpected('a map such as {"do":"clear"}') },
);

/** Parses the body of a command. Returns the problem in words when it is malformed. */
export function parseCommand(body: string): { readonly command: Command } | { readonly problem: string } {
  let written: unknown;
  try {
    written = JSON.parse(body);
  } catch (error) {
    return { problem: `the body is no JSON (${messageOf(error)}); expected a command such as {"do":"clear"}` };
  }
  const which = anyCommand.safeParse(written);
  if (!which.success) return { problem: describeIssue(which.error) };
  const { do: name } = which.data;
  const command = map(`the command ${name}`, { do: z.literal(name), ...schemas[name] }).safeParse(written);
  // The schema of each command has exactly its fields.
  return command.success ? { command: command.data as Command } : { problem: describeIssue(command.error) };
}

function describeIssue({ issues: [first] }: z.ZodError): string {
  const place = first === undefined || first.path.length === 0 ? '' : `${first.path.join('.')}: `;
  return `${place}${(first?.message ?? 'a malformed command').replaceAll('\n', ' ')}`;
}
