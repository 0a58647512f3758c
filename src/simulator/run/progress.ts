import type { PhaseName } from '../history/records.js';

export type FaultEvent = 'injected' | 'confirmed' | 'not-confirmed' | 'healed' | 'not-healed' | 'never-struck';

/** What a run tells while it goes on; the command line draws it, tests collect it. */
export type Progress =
  | { readonly kind: 'starting'; readonly mode: string; readonly members: readonly string[] }
  | { readonly kind: 'phase'; readonly mode: string; readonly phase: PhaseName; readonly lastsMs: number }
  | {
      readonly kind: 'fault';
      readonly mode: string;
      readonly id: string;
      readonly what: FaultEvent;
    }
  | {
      readonly kind: 'tick';
      readonly mode: string;
      readonly atMs: number;
      readonly totalMs: number;
      readonly requests: number;
      readonly problems: number;
    };

export type OnProgress = (progress: Progress) => void;
