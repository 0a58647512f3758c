import type { CaseFile } from '../report/browser/columns.js';
import type { PresentState } from '../simulator/checker/users/growing-user.js';
import type { DescribedOption } from '../simulator/scenario/applicable-faults.js';

/**
 * The messages between the live lab and its page. Times are milliseconds since the start of the run of one side, as in
 * a history. The server sends `StreamMessage`s as server-sent events; the page sends `Command`s by POST.
 */

/** Timeline, bins and marks cover this time. */
export const shownMs = 60_000;

export const sideNames = ['left', 'right'] as const;
export type SideName = (typeof sideNames)[number];

/** State of a simulated user. `waiting`: a request has been in flight for more than 300 ms. `gone` includes the users
 * who left. */
export type UserStateName = PresentState | 'waiting';

/** One user. `member`: the backend that answered it last; null before the first answer. */
export interface UserView {
  readonly name: string;
  readonly state: UserStateName;
  readonly member: string | null;
}

export interface MemberView {
  readonly name: string;
  readonly role: 'proxy' | 'backend' | 'store';
  /** `spare`: a backend that was never started. A fault can start it. */
  readonly state: 'starting' | 'spare' | 'up' | 'draining' | 'ejected' | 'stopped' | 'dead';
  /** When this state began. */
  readonly sinceMs: number;
  /** Role in a replicated store. */
  readonly storeRole?: 'primary' | 'replica';
  /** Number of browsers that the proxy binds to this backend. Absent where the proxy binds none. */
  readonly bound?: number;
}

export type StrikeState = 'requested' | 'confirmed' | 'not-confirmed' | 'healing' | 'healed' | 'not-healed';

/** One execution of a fault. A strike is active until its state is `healed`. */
export interface StrikeView {
  readonly id: string;
  /** A key of the fault registry. */
  readonly fault: string;
  /** A member, a link (`proxy->backend-2`) or `secrets`. */
  readonly target: string;
  /** `doneInWords` of the fault. Absent when it has none, and in a history with a fault that this version does not know. */
  readonly doneInWords?: string;
  readonly state: StrikeState;
  readonly requestedMs: number;
  readonly confirmedMs: number | null;
  readonly healedMs: number | null;
  /** Number of users that it has exposed so far. */
  readonly exposed: number;
  /** The counters when it was requested. */
  readonly before: CountsView;
  /** The observation that confirmed it. */
  readonly evidence?: string;
  /** Why it was not confirmed or not healed. */
  readonly problem?: string;
}

/** The counters of one side. All but the last are those of `holdfast report` for the same history. */
export interface CountsView {
  /** Users who lost a session that they should have had. */
  readonly loggedOut: number;
  /** Users that a fault exposed. Null: no fault struck. */
  readonly exposed: number | null;
  readonly acknowledged: number;
  /** Acknowledged writes that the user's last good read missed. `lost` is the proven part. */
  readonly missing: number;
  readonly lost: number;
  readonly failed: number;
  readonly unknown: number;
  /** Users who got the answer of another user. */
  readonly swapped: number;
  /** 99th percentile of the response times of the last 5 s. Null: no answer. This one is no counter of the report. */
  readonly p99Ms: number | null;
}

/** Answers of one second, by outcome. `atMs` is the start of the second. */
export interface BinView {
  readonly atMs: number;
  readonly ok: number;
  readonly failed: number;
  readonly unknown: number;
  /** Response times in milliseconds. Null: no answer. */
  readonly p50Ms: number | null;
  readonly p99Ms: number | null;
}

/** One missing write, or one user that lost its session. The timeline shows a tick at `sinceMs` and one at `seenMs`. */
export interface MarkView {
  /** `missing`: a write that is missing and not proven lost, so that a fault may still give it back. */
  readonly kind: 'lost' | 'missing' | 'logged-out' | 'identity-swapped';
  readonly user: string;
  readonly sinceMs: number;
  readonly seenMs: number;
}

/** The faults that can strike one target. A fault that cannot strike it is not listed. */
export interface OfferView {
  readonly target: string;
  /** The member with the target in its box (`memberOf`): the backend of a link, the first proxy for `secrets`. */
  readonly member: string;
  readonly faults: readonly OfferedFault[];
}

export interface OfferedFault {
  /** A key of the fault registry. */
  readonly name: string;
  readonly summary: string;
  readonly options: readonly DescribedOption[];
}

export interface SideView {
  readonly mode: string;
  /** `failed`: the system could not be started, or broke down; `problem` says why. `over`: nothing changes any more. */
  readonly stage: 'starting' | 'running' | 'stopping' | 'over' | 'failed';
  readonly problem?: string;
  /** Sentences about faults of the scenario that this mode cannot have. */
  readonly note?: string;
  /** Time of the run when this was made. */
  readonly nowMs: number;
  readonly users: readonly UserView[];
  readonly members: readonly MemberView[];
  readonly counts: CountsView;
  readonly strikes: readonly StrikeView[];
  /** The last 60 s. */
  readonly bins: readonly BinView[];
  /** Those seen in the last 60 s, at most the latest 1,000, in the order in which they were seen. */
  readonly marks: readonly MarkView[];
  readonly offers: readonly OfferView[];
  /** Port on 127.0.0.1 of the toy shop's proxy, for a browser. Absent before it runs, and for another application. */
  readonly shopPort?: number;
}

/** The lists of a `SideView`. */
export type ListName = 'users' | 'members' | 'strikes' | 'bins' | 'marks' | 'offers';

/** The change of one side. Lists hold only entries that are new or changed; `listKeys` (`changes.ts`) has the keys. */
export interface SideChange extends Partial<Omit<SideView, 'nowMs'>> {
  readonly nowMs: number;
  /** Keys of removed entries. The receiver removes them before it adds others. */
  readonly gone?: { readonly [List in ListName]?: readonly string[] };
  /** The run of this side began anew, or its history was cut: the receiver empties all lists before it applies this. */
  readonly isNew?: true;
}

export interface LiveSettings {
  readonly seed: number;
  /** Number of users on each side. */
  readonly users: number;
  readonly usersMin: number;
  readonly usersMax: number;
  /** Modes that a side can be changed to. */
  readonly modes: readonly string[];
  /** Whether recorded histories are played. Then nothing can be struck or changed. */
  readonly isReplay: boolean;
  /** Length of the recorded runs, if it is at most `shownMs`. Then the timeline shows the whole runs. */
  readonly wholeMs?: number;
  /** Where the files are written when the command ends. */
  readonly folder?: string;
  /** A sentence, while the machine is too busy for fair results. */
  readonly warning?: string;
}

/** The whole state. `right` is absent in a session with one mode, or with one recorded history. */
export interface Snapshot {
  readonly kind: 'snapshot';
  readonly settings: LiveSettings;
  readonly left: SideView;
  readonly right?: SideView;
}

export interface Frame {
  readonly kind: 'frame';
  readonly left?: SideChange;
  readonly right?: SideChange;
  readonly settings?: LiveSettings;
}

/** A strike changed its state. It is sent at once, and is part of no frame. */
interface StrikeMessage {
  readonly kind: 'strike';
  readonly side: SideName;
  readonly nowMs: number;
  readonly strike: StrikeView;
}

/** The command has ended. `files`: the paths of the files that it wrote. */
export interface OverMessage {
  readonly kind: 'over';
  readonly reason: string;
  readonly files: readonly string[];
  /** Everything is stopped, and the files are being written. Another `over` follows when they are. */
  readonly isWriting?: true;
}

export type StreamMessage = Snapshot | Frame | StrikeMessage | OverMessage;

/** Paths of the server. All but `page` need the token in the header `tokenHeader`. */
export const paths = {
  page: '/',
  stream: '/stream',
  command: '/command',
  /** `?side=left&user=user-17`: a `StoryReply`. */
  story: '/story',
  /** `/export/<file>`: a file of `exportNames`. */
  export: '/export/',
} as const;
export const tokenHeader = 'holdfast-live-token';

/** `scenario-right.yaml` exists only when the sides were struck differently: `scenario.yaml` then repeats the left one. */
export const exportNames = [
  'report.html',
  'history-left.ndjson',
  'history-right.ndjson',
  'scenario.yaml',
  'scenario-right.yaml',
] as const;
export type ExportName = (typeof exportNames)[number];

export type Command =
  /** Strikes one target on each of these sides. */
  | {
      readonly do: 'strike';
      readonly sides: readonly SideName[];
      readonly fault: string;
      readonly target: string;
      readonly options?: Readonly<Record<string, unknown>>;
    }
  /** Heals all active strikes that `isHealedWith` says belong to a member. */
  | { readonly do: 'heal'; readonly sides: readonly SideName[]; readonly member: string }
  | { readonly do: 'set-users'; readonly count: number }
  /** Stops the system of one side and starts another. */
  | { readonly do: 'set-mode'; readonly side: SideName; readonly mode: string }
  /** Starts both sides again with the next seed. */
  | { readonly do: 'next-seed' }
  /** Forgets everything but the present sessions and the active strikes. */
  | { readonly do: 'clear' };

/**
 * Returns whether healing a member heals a strike on this target: the member itself, or a link of which it is an end.
 * The first of the proxies stands for the secrets and for all backends, because the page offers their faults there.
 */
export function isHealedWith(member: string, target: string, proxies: readonly string[]): boolean {
  return target === 'secrets' || target === 'backends' ? member === proxies[0] : target.split('->').includes(member);
}

/** Status 200 with `problems` empty: done. A side that could not do it says why. Status 400: the command is malformed. */
export interface CommandReply {
  readonly problems: readonly { readonly side?: SideName; readonly problem: string }[];
}

/** The whole story of one user, for the dialog of the report. `user`: an index into `file.words`. */
export interface StoryReply {
  readonly file: CaseFile;
  readonly user: number;
}

/** The stream of a live lab that plays recorded runs, made in advance for a page without a server. */
export interface LabRecording {
  readonly snapshot: Snapshot;
  /** In the order of their times. */
  readonly messages: readonly RecordedMessage[];
  readonly endMs: number;
  /** The whole story of each user. */
  readonly stories: { readonly [Side in SideName]?: Readonly<Record<string, StoryReply>> };
}

export interface RecordedMessage {
  readonly atMs: number;
  readonly message: StreamMessage;
}
