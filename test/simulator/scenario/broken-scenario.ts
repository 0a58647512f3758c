import { expect } from 'chai';
import { ScenarioError } from '#src/simulator/errors.js';
import { parseScenario } from '#src/simulator/scenario/file.js';

/** Valid scenario file. Every part that a test breaks is on its own line. */
export const good = `name: test
why: To be broken.
modes: [sticky, redis]
users:
  arrivals: { rate: 20/s, for: 2s }
phases: { faults: 4s }
faults:
  - { id: kill, at: 1s, do: kill, target: backend-2, for: 1s }
  - { id: then, after: kill + 500ms, do: hang, target: redis, for: 1s }
expect:
  any: [users.identitySwapped == 0]
  redis:
    - writes.lost == 0
`;

/** Replaces one piece of the valid file. Fails when the file does not contain that piece. */
export function broken(piece: string, by: string): string {
  expect(good).to.include(piece);
  return good.replace(piece, by);
}

export function complaint(text: string, fileName = 'test.yaml'): string {
  try {
    parseScenario(text, fileName);
  } catch (error) {
    if (error instanceof ScenarioError) return error.message;
    throw error;
  }
  return expect.fail('the file was accepted');
}
