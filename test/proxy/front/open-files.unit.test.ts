import { expect } from 'chai';
import { planDescriptors } from '#src/proxy/front/open-files.js';

const table: readonly (readonly [name: string, filesMax: number, openNow: number, clients: number, admin: number])[] = [
  ['the least that still serves', 32, 22, 1, 8],
  ['half of what is left for backends', 64, 22, 11, 8],
  ['a usual shell', 1024, 22, 463, 64],
  ['a usual server', 20_000, 22, 15_806, 64],
  ['as many as memory allows', 1_048_576, 22, 65_536, 64],
  ['no limit known', Number.POSITIVE_INFINITY, 0, 65_536, 64],
];

describe('descriptors of a process', () => {
  for (const [name, filesMax, openNow, clients, admin] of table) {
    it(`${name}: of ${filesMax} at most ${clients} are for clients, ${admin} for the admin API`, () => {
      expect(planDescriptors(filesMax, openNow)).to.deep.equal({ clients, admin, filesMax });
    });
  }
});
