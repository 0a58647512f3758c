import { expect } from 'chai';
import { backendSpec } from '#src/simulator/cluster/backend.js';

describe('the process of a toy backend', () => {
  it('has a remedy that a shell runs, also when the program lies in a folder with blanks', () => {
    const program = '/home/anna/my project/shop.js';
    const spec = backendSpec({
      name: 'backend-1',
      port: 4711,
      mode: 'jwt',
      storeUrls: {},
      env: {},
      version: 'A',
      program,
    });
    expect(spec.remedy).to.include("node '/home/anna/my project/shop.js' ");
  });
});
