import path from 'node:path';
import { expect } from 'chai';
import { appAttacks } from '#src/attacks/own-app/attacks/registry.js';
import { commandLine } from '../../commands/in-process.js';

const folder = path.resolve(import.meta.dirname, '../../../../test/attacks/own-app/apps');

export type Apps = readonly (readonly [app: string, defects: Readonly<Record<string, readonly string[]>>])[];

/** Returns the exit code, and the names of the attacks by their outcome as the table shows them. */
async function attack(app: string, defect: string) {
  // It makes a hundred logins, and none of the defects is about ids.
  const names = Object.keys(appAttacks).filter(name => defect === '' || name !== 'id-randomness');
  const args = ['attack', '--app', path.join(folder, `${app}.yaml`), '--attack', names.join()];
  const said = await commandLine(args, { DEFECT: defect });
  const rows = said.stdout.split('\n').map(line => line.split('│').map(cell => cell.trim()));
  const withResult = (word: string) =>
    rows.flatMap(([, name = '', result = '']) => (result.startsWith(word) ? [name] : []));
  return {
    ...said,
    succeeded: withResult('SUCCEEDED'),
    unknown: withResult('unknown'),
    resisted: withResult('resisted'),
  };
}

/** Attacks each app without a defect, and with each of the defects. */
export function describeApps(apps: Apps): void {
  describe('holdfast attack --app', function () {
    this.timeout(60_000);

    for (const [app, defects] of apps) {
      it(`exits with 0 for the correct app "${app}"`, async () => {
        const { code, succeeded, unknown, resisted, left, stdout, stderr } = await attack(app, '');
        expect({ code, succeeded, unknown }, stdout + stderr).to.deep.equal({ code: 0, succeeded: [], unknown: [] });
        expect(resisted).to.include('replay-after-logout');
        expect(left).to.deep.equal([]);
      });

      for (const [defect, expected] of Object.entries(defects))
        it(`exits with 1 for "${app}" with the defects "${defect}", found by ${expected.join(', ')} alone`, async () => {
          const { code, succeeded, unknown, stdout, stderr } = await attack(app, defect);
          expect({ code, unknown }, stdout + stderr).to.deep.equal({ code: 1, unknown: [] });
          expect(succeeded, stdout).to.have.members([...expected]);
        });
    }
  });
}
