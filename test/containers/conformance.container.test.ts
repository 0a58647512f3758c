import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { expect } from 'chai';
import { packageFile, presetNames } from '#src/shared/package.js';
import { withHoldfast } from '../commands/holdfast.js';

/** Returns the rows of the failure table in a page, without its links. */
function rowsIn(page: string): string[] {
  const [, table = ''] = page.split('## The table');
  const lines = table.split('## The proxies')[0]?.split('\n') ?? [];
  return lines.filter(line => line.startsWith('| ')).map(line => line.replaceAll(/\[([^\]]*)\]\([^)]*\)/g, '$1'));
}

describe('the failure table of all presets', () => {
  it('has in this run the cells of docs/conformance.md, and none that is unknown', async () => {
    const documented = rowsIn(await readFile(packageFile('docs/conformance.md'), 'utf8'));
    await withHoldfast(['conformance', '--at-once', '6', '--markdown', 'table.md'], async holdfast => {
      const code = await holdfast.ended();
      const made = rowsIn(await readFile(path.join(holdfast.folder, 'table.md'), 'utf8'));
      expect(holdfast.output.stderr).not.to.include('not installed');
      expect(made, 'write the page again: holdfast conformance --markdown docs/conformance.md').to.deep.equal(
        documented,
      );
      for (const name of presetNames()) expect(made[0]).to.include(`| ${name} |`);
      expect([code, await holdfast.children(), await holdfast.temporaryFiles()]).to.deep.equal([0, [], []]);
    });
  }).timeout(45 * 60_000);
});
