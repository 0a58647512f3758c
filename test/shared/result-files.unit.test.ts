import { access, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect } from 'chai';
import { writeAtomically } from '#src/shared/result-files.js';

describe('a result file that cannot be written', () => {
  it('is named when the disk is full, and leaves no part', async () => {
    const folder = await mkdtemp(path.join(tmpdir(), 'holdfast-files-'));
    const file = path.join(folder, 'out.json');
    const full = Object.assign(new Error('ENOSPC: no space left on device, write'), { syscall: 'write' });
    const failed = await writeAtomically(file, () => Promise.reject(full)).catch(({ message }: Error) => message);
    expect(failed).to.equal(`${file} cannot be written: ENOSPC: no space left on device, write`);
    expect(await access(`${file}.part`).catch(({ code }) => code)).to.equal('ENOENT');
    await rm(folder, { recursive: true });
  });
});
