/** What is written down of every decision. */

/** Contract section 9. Never a secret: only values that this type names reach the log. */
export interface AuditRecord {
  readonly event: 'access' | 'token' | 'login' | 'session' | 'policy' | 'limit' | 'promotion';
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
  /** Of somebody outside the policy files, as `ldap:developers`. */
  readonly groups?: readonly string[] | undefined;
  /** Who issued the token that a workload logged in with, and those of its claims that the policy names. */
  readonly issuer?: string | undefined;
  readonly claims?: Readonly<Record<string, string>> | undefined;
  /** Where somebody asked who did not come by `/v2` or `/token`: the page, `/api/v1`. */
  readonly route?: 'ui' | 'api' | undefined;
  readonly repository?: string | undefined;
  /** The registry that has it, where there are several. */
  readonly upstream?: string | undefined;
  readonly action?: string | undefined;
  readonly reference?: string | undefined;
  readonly digest?: string | undefined;
  /** Where a promotion takes its image from. */
  readonly from?: string | undefined;
  readonly scope?: string | undefined;
  readonly address?: string | undefined;
  readonly userAgent?: string | undefined;
  readonly requestId?: string | undefined;
  readonly status?: number | undefined;
  /** The reply came from memory: as the registry had just given or confirmed it, or for want of a registry. */
  readonly cache?: 'hit' | 'confirmed' | 'stale' | undefined;
  /** Body bytes of the larger direction. */
  readonly bytes?: number | undefined;
  readonly durationMs?: number | undefined;
  /** For operators: what went wrong, in words. */
  readonly detail?: string | undefined;
}

export interface AuditLog {
  record(record: AuditRecord): void;
}
