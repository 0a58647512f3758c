import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import type { StoreServerName, StoreUrls } from '../../shared/stores.js';
import { LabError } from '../errors.js';
import type { Lab } from './lab.js';
import { waitUntil } from './probe.js';
import { freePort } from './processes/free-port.js';
import type { PreparedStore, StorePlace, StoreShape } from './store-server.js';
import { prepareStore, type StoresSpec, shapeOf } from './stores/registry.js';

const wholeWithinMs = 10_000;

export interface BootedStore {
  /** The ports of its members and of its addresses, by name. */
  readonly ports: ReadonlyMap<string, number>;
  /** Addresses that can move: every backend needs a link to them that can be retargeted. */
  readonly movingAddresses: readonly string[];
  /** Returns the URLs for a member that reaches each address at the port that `portOf` returns. */
  url(portOf: (name: string) => number): StoreUrls;
  readonly versions: Readonly<Record<string, string>>;
}

export interface StoresWanted {
  readonly spec: StoresSpec;
  /** All links of the scenario. Only those between store members are created here, before the members boot. */
  readonly links: readonly string[];
}

/** Starts all members of a store server and resolves when they answer and have found each other. */
export async function bootStore(lab: Lab, name: StoreServerName, wanted: StoresWanted): Promise<BootedStore> {
  const shape = shapeOf(name, wanted.spec);
  const ports = await portsOf(name, shape);
  const place = await makePlace(lab, wanted, shape, ports);
  const prepared = await lab.writeFiles(() => prepareStore(name, wanted.spec, place));
  for (const specs of prepared.steps) await Promise.all(specs.map(spec => lab.start(spec)));
  await waitWhole(name, prepared);
  const { versions } = prepared;
  const url: BootedStore['url'] = portOf => ({ [name]: prepared.url(portOf) });
  return { ports, movingAddresses: shape.moves ? shape.addresses : [], url, versions };
}

async function portsOf(name: string, { members }: StoreShape): Promise<ReadonlyMap<string, number>> {
  const ports = new Map<string, number>();
  for (const member of members) ports.set(member, await freePort());
  // The name of the server alone means its first member.
  return new Map([[name, ports.get(members[0]) ?? 0], ...ports]);
}

async function makePlace(
  lab: Lab,
  { links }: StoresWanted,
  { replications }: StoreShape,
  ports: ReadonlyMap<string, number>,
): Promise<Omit<StorePlace<unknown>, 'spec'>> {
  const portOf = (member: string) => ports.get(member) ?? 0;
  for (const [from, to] of replications) {
    const link = `${from}->${to}`;
    if (links.includes(link)) await lab.link(link, portOf(from), 'back');
  }
  const directory = await lab.directory();
  return {
    portOf,
    feedPort: (from, to) => lab.portSeenBy(from, to) ?? portOf(from),
    directoryOf: async member => {
      const its = path.join(directory, member);
      await mkdir(its, { mode: 0o700 });
      return its;
    },
    run: program => lab.run(program),
  };
}

async function waitWhole(name: string, { isWhole }: PreparedStore): Promise<void> {
  if (isWhole === undefined || (await waitUntil(isWhole, wholeWithinMs))) return;
  throw new LabError(`the members of ${name} did not find each other within ${wholeWithinMs / 1000} s of their start`);
}
