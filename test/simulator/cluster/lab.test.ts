import { existsSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { expect } from 'chai';
import { Lab } from '#src/simulator/cluster/lab.js';
import { leavingNothing } from '../processes.js';

const listeners = { onState: () => undefined };

describe('the temporary directory of a lab', () => {
  it('is removed after the last file in it was written', () =>
    leavingNothing(async () => {
      const lab = new Lab(listeners);
      const directory = await lab.directory();
      const writing = lab.writeFiles(() => writeFolders(directory));
      await lab.stop();
      await writing;
      expect(existsSync(directory)).to.equal(false);
    }));

  it('is removed although a program still waits for its turn', () =>
    leavingNothing(async () => {
      const never = new Promise<void>(() => undefined);
      const lab = new Lab(listeners, () => never);
      const directory = await lab.directory();
      const program = { command: 'true', args: [], env: {}, directory, user: undefined };
      const preparing = lab.writeFiles(() => lab.run(program).then(undefined, (error: Error) => error.name));
      await lab.stop();
      expect(await preparing).to.equal('Interrupted');
      expect(existsSync(directory)).to.equal(false);
    }));

  it('gets no more files once the lab is being stopped', () =>
    leavingNothing(async () => {
      const lab = new Lab(listeners);
      const directory = await lab.directory();
      const stopping = lab.stop();
      expect(() => lab.writeFiles(() => writeFolders(directory))).to.throw('a file was requested while the lab was');
      await stopping;
    }));
});

async function writeFolders(directory: string): Promise<void> {
  for (let folder = 0; folder < 30; folder++) {
    await mkdir(path.join(directory, `${folder}/inside`), { recursive: true });
    await delay(10);
  }
}
