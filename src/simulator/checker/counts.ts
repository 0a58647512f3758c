import type { RunRecord } from '../history/records.js';
import type { Findings } from './findings.js';

/** Adds up what the members of the lab counted by themselves, since the last boot of each. */
export function countsOf({ lab }: Pick<RunRecord, 'lab'>): Pick<Findings, 'noSession' | 'stores'> {
  const counted = Object.values(lab.counts ?? {});
  const total = (name: string): number => counted.reduce((sum, counts) => sum + (counts[name] ?? 0), 0);
  // A store counts evictions and no sessions. Where only stores count, "forged 0 times" would be a claim without evidence.
  const isSaid = counted.some(counts => Object.keys(counts).some(name => name !== 'evictions'));
  const times = (name: string): number | null => (isSaid ? total(name) : null);
  return {
    noSession: {
      absent: times('absent'),
      malformed: times('malformed'),
      unknown: times('unknown'),
      expired: times('expired'),
      forged: times('forged'),
      revoked: times('revoked'),
    },
    stores: { evictions: counted.some(counts => 'evictions' in counts) ? total('evictions') : null },
  };
}
