import { z } from 'zod';
import { parseExpectation } from '../checker/expectations.js';
import { ScenarioError } from '../errors.js';
import { expected, map } from './values.js';
import { isMap } from './written.js';

const notALine = expected('an expectation such as "writes.lost == 0", or warn: and one');

const expectation = z
  .string({ error: expected('an expectation such as "writes.lost == 0"') })
  .superRefine((written, context) => {
    try {
      parseExpectation(written);
    } catch (error) {
      if (!(error instanceof ScenarioError)) throw error;
      context.addIssue({ code: 'custom', message: error.message });
    }
  });

const warning = map('a warning', {
  warn: expectation.describe('Shown when it is not met; the verdict does not depend on it.'),
});

/** A list under `expect`: each line is an expectation, or `warn:` and one. */
export const expectations = z.array(
  z.union([expectation, warning], {
    error: issue => (isMap(issue.input) ? warningComplaint(issue.input) : notALine(issue)),
  }),
  { error: expected('a list of expectations') },
);

/** What is there and unknown says more than what is missing because of it. */
function warningComplaint(written: unknown): string | undefined {
  const issues = warning.safeParse(written).error?.issues ?? [];
  return (issues.find(({ code }) => code === 'unrecognized_keys') ?? issues[0])?.message;
}
