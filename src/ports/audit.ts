/** What is written down of every decision: as much of it as judging it again takes. */
import type { Question } from '../audit/question.ts';
import type { ReadRecord } from '../audit/read-line.ts';
import type { RouteName } from '../distribution/route-name.ts';
import type { LoginSource } from '../policy/model.ts';
import type { ReachText } from '../policy/own-reach.ts';
import type { EpochMs } from '../time.ts';

/** Contract section 9. Never a secret: only values that this type names reach the log. */
export interface AuditRecord {
  readonly event: 'access' | 'token' | 'login' | 'session' | 'policy' | 'limit' | 'promotion' | 'intent';
  readonly decision: 'allow' | 'deny' | 'error';
  /** A word a program can match, such as `no_rule` or `password_wrong`. */
  readonly reason: string;
  readonly rule?: string | undefined;
  /** `file:line` of the rule, or of the workload that logged in; of another login the source that knew who it was. */
  readonly source?: string | undefined;
  readonly shadow?: readonly string[] | undefined;
  /** The gate that refused, or that let pass last. */
  readonly gate?: string | undefined;
  /** The repository in which the image was looked for, or found. */
  readonly gateFrom?: string | undefined;
  readonly account?: string | undefined;
  readonly kind?: 'user' | 'robot' | 'workload' | 'anonymous' | undefined;
  readonly method?:
    'password' | 'session' | 'robot-token' | 'personal-token' | 'workload' | 'oidc' | 'access-token' | undefined;
  /** Id of the robot's secret, or of the person's access token, behind the credentials. */
  readonly secret?: string | undefined;
  /** What that access token was made for, in the words of policy files; of a robot's secret the files say it. */
  readonly reach?: ReachText | undefined;
  /** The session that the credentials belong to. */
  readonly session?: string | undefined;
  /** Where somebody outside the policy files is known. */
  readonly outside?: LoginSource | undefined;
  /** Theirs, as `ldap:developers`: of all those that the policy named at the login. */
  readonly groups?: readonly string[] | undefined;
  /** Who issued the token that a workload logged in with, and those of its claims that the policy names. */
  readonly issuer?: string | undefined;
  readonly claims?: Readonly<Record<string, string>> | undefined;
  /** What the request was about, in the words of the metrics; absent where nothing could be read. */
  readonly route?: RouteName | undefined;
  /** `GET` and the like. */
  readonly httpMethod?: string | undefined;
  readonly repository?: string | undefined;
  /** The registry that has it, where there are several. */
  readonly upstream?: string | undefined;
  readonly action?: string | undefined;
  readonly reference?: string | undefined;
  /** That a push by digest sets. */
  readonly tags?: readonly string[] | undefined;
  /** What a push came to, where a rule made that matter; absent also where its tags do not agree. */
  readonly writes?: 'create' | 'overwrite' | 'repeat' | 'attach' | undefined;
  readonly digest?: string | undefined;
  /** Where a promotion takes its image from, and a mount its blob. */
  readonly from?: string | undefined;
  /** That a token was issued for. */
  readonly scope?: string | undefined;
  /** That was asked for, where it is more. */
  readonly asked?: string | undefined;
  readonly address?: string | undefined;
  readonly userAgent?: string | undefined;
  readonly requestId?: string | undefined;
  /** W3C Trace Context: of the caller where it sent one. */
  readonly traceId?: string | undefined;
  /** Revision of the policy that decided, as `check` shows it; with `-cut` where a refused edit had taken accounts from it. */
  readonly policy?: string | undefined;
  readonly status?: number | undefined;
  /** The reply came from memory: as the registry had just given or confirmed it, or for want of a registry. */
  readonly cache?: 'hit' | 'confirmed' | 'stale' | undefined;
  /** Body bytes of the larger direction. */
  readonly bytes?: number | undefined;
  readonly durationMs?: number | undefined;
  /** For operators: what went wrong, in words. */
  readonly detail?: string | undefined;
}

/** Where reading of audit files goes on. */
export interface TrailPlace {
  /** When the first page was read; what came later is not given. */
  readonly asOf: string;
  /** `2026-11-26`. */
  readonly day: string;
  /** Of files of that day, by their gateway: bytes up to which nothing was given yet. */
  readonly ends: Readonly<Record<string, number>>;
}

/** What gateways wrote into audit files. */
export interface AuditTrail {
  /**
   * The newest records that are asked for, behind `place`; few or none where much was looked at in vain, and `next` as long
   * as there may be more. `packed`: files that were not looked into. Rejects when a file cannot be read.
   */
  page(
    question: Question,
    terms: {
      readonly since: EpochMs | undefined;
      readonly limit: number;
      readonly place: TrailPlace | undefined;
      readonly isWanted: () => boolean;
    },
  ): Promise<{
    readonly records: readonly ReadRecord[];
    readonly next: TrailPlace | undefined;
    readonly packed: readonly string[];
  }>;
}

export interface AuditLog {
  record(record: AuditRecord): void;
  /**
   * What is about to be done is written down first, where the configuration requires that: true when it is on disk, false
   * when it cannot be written, and then it must not be done. Absent: nothing needs to be.
   */
  readonly intend?: ((record: AuditRecord) => Promise<boolean>) | undefined;
}
