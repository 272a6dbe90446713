/** What operations answer, as types for who asks and as schemas for the OpenAPI document. */
import { z } from 'zod';

const session = z.object({
  id: z.string(),
  account: z.string(),
  created: z.iso.datetime(),
  lastUsed: z.iso.datetime(),
  address: z.string().optional(),
  userAgent: z.string().optional(),
  kind: z.enum(['login', 'web', 'personal']).describe('of docker login, of the page, or an access token of a person'),
  label: z.string().optional(),
  expires: z.iso.datetime().optional(),
});
export const sessionList = z.object({ sessions: z.array(session) });
export const ended = z.object({ ended: z.array(session) });
export const keyList = z.object({
  keys: z.array(z.object({ kid: z.string(), algorithm: z.string(), signing: z.boolean() })),
});
export const robotTokens = z.object({
  tokens: z.array(
    z.object({
      robot: z.string(),
      id: z.string(),
      expires: z.iso.datetime().optional(),
      lastUsed: z.iso.datetime().optional(),
    }),
  ),
});

export type SessionView = z.infer<typeof session>;
export type RobotTokenView = z.infer<typeof robotTokens>['tokens'][number];

const limit = z.object({
  name: z.string(),
  mode: z.enum(['enforce', 'shadow']),
  count: z.enum(['pull', 'push', 'token']),
  per: z.enum(['account', 'address', 'repository']),
  rate: z.string().describe('as a policy file writes it'),
  burst: z.int(),
});
const spent = z.object({
  source: z.string().describe('whose budget it is: an account, an address or /64, a repository'),
  remaining: z.int().describe('requests that would fit now'),
  waitSeconds: z.number().describe('until one fits; 0 when one does'),
  fullSeconds: z.number().describe('until the whole burst fits'),
});
const limitState = z.object({ ...limit.shape, ...spent.shape });
const failedLogin = z.object({
  by: z
    .enum(['pair', 'network', 'site', 'account'])
    .describe(
      'what is counted: an account from one network, anybody from a network or its /48, an account from anywhere',
    ),
  account: z.string().optional().describe('as clients sent it'),
  network: z.string().optional(),
  failures: z.int(),
  lastFailure: z.iso.datetime(),
  waitSeconds: z.number().describe('until the next attempt; 0 when it may be made now'),
});
export const limitList = z.object({ limits: z.array(limitState), logins: z.array(failedLogin) });
export const limitStates = z.object({
  subject: z.string(),
  limits: z.array(z.object({ ...limit.shape, ...spent.partial().shape })),
});

export type LimitList = z.infer<typeof limitList>;
export type LimitStates = z.infer<typeof limitStates>;
export type LimitView = z.infer<typeof limit>;
export type SpentView = z.infer<typeof spent>;

export const promotion = z.object({
  id: z.string(),
  time: z.iso.datetime(),
  account: z.string().optional().describe('absent, as reason and one of the names, for who may see one side only'),
  kind: z.enum(['user', 'robot', 'workload']).optional(),
  digest: z.string(),
  source: z.string().optional(),
  target: z.string().optional(),
  reason: z.string().optional(),
  manifests: z.int(),
  blobs: z.int(),
  mounted: z.int(),
  bytes: z.int().describe('of blobs that could not be mounted'),
  durationMs: z.number(),
});
export const promotionList = z.object({ promotions: z.array(promotion) });

const text = z.string().optional();
/** One audit record, without what its viewer may not see. */
const activityRecord = z.object({
  number: z.int().describe('grows from one record to the next'),
  time: z.iso.datetime(),
  event: z.string(),
  decision: z.enum(['allow', 'deny', 'error']),
  reason: z.string(),
  rule: text,
  source: text.describe('the rule as file:line'),
  shadow: z.array(z.string()).optional().describe('shadow rules that would have decided otherwise'),
  gate: text,
  gateFrom: text,
  account: text,
  kind: text,
  method: text,
  route: text,
  repository: text,
  upstream: text,
  action: text,
  reference: text,
  digest: text,
  from: text,
  scope: text,
  address: text,
  userAgent: text,
  requestId: text,
  status: z.int().optional(),
  cache: text,
  bytes: z.number().optional(),
  durationMs: z.number().optional(),
  detail: text,
  explain: z
    .object({ as: z.string(), action: z.string(), repository: z.string(), tag: text })
    .optional()
    .describe('what to ask to learn which rule decides this'),
});
export const activityList = z.object({
  of: z.literal('this gateway'),
  records: z.array(activityRecord),
  next: z.int().optional().describe('as before, for older ones'),
});
export type ActivityRecord = z.infer<typeof activityRecord>;
export type ActivityList = z.infer<typeof activityList>;

const secret = z.object({
  id: z.string(),
  label: text,
  reach: z.string().describe('as policy files write it'),
  created: z.iso.datetime().optional().describe('where it is known'),
  expires: z.iso.datetime().optional().describe('absent: never'),
  lastUsed: z.iso.datetime().optional().describe('absent: not as far as is known'),
  marks: z.array(z.enum(['never expires', 'expired', 'unused 90 days'])),
});
const account = z.object({
  kind: z.enum(['user', 'robot', 'workload']),
  name: z.string(),
  groups: z.array(z.string()),
  disabled: z.boolean(),
  login: z.string().describe('how it logs in: a password, a source of logins, secrets, an issuer; or nothing'),
  lastUsed: z.iso.datetime().optional().describe('of a session, a token or a request; absent: not as far as is known'),
  sessions: z.int(),
  secrets: z.array(secret),
});
export const accountList = z.object({
  accounts: z.array(account),
  total: z.int(),
  next: z.string().optional().describe('as after, for more'),
});
export type AccountView = z.infer<typeof account>;
export type AccountList = z.infer<typeof accountList>;

const perMinute = z.array(z.number()).describe('one for each of the last 60 minutes, the oldest first');
export const doctorFinding = z.object({
  number: z.int().min(1).max(99),
  name: z.string().max(100),
  state: z.enum(['ok', 'warn', 'FAIL', 'skip']),
  found: z.string().max(2000),
  fix: z.string().max(2000).nullable().describe('what to do; null where that is nothing'),
});
const doctorRun = z.object({ at: z.iso.datetime(), checks: z.array(doctorFinding) });
export type DoctorRun = z.infer<typeof doctorRun>;

export const healthState = z.object({
  state: z.enum(['ready', 'degraded', 'not ready']),
  version: z.string(),
  checks: z.array(
    z.object({ name: z.string(), state: z.enum(['ok', 'degraded', 'failed']), detail: z.string().optional() }),
  ),
  gateways: z.int().describe('that share the store, at its last answer'),
  of: z.literal('this gateway').describe('whose minutes these are'),
  until: z.iso.datetime(),
  requests: perMinute,
  refusals: perMinute,
  bytesOut: perMinute,
  manifestP95: z
    .array(z.number().nullable())
    .describe('seconds within which 95 % of the manifests that were pulled began to be answered'),
  busiest: z.array(z.object({ repository: z.string(), pulls: z.int(), bytes: z.number() })),
  doctor: doctorRun.optional().describe('the last run of all checks that this gateway was told of'),
});
export type HealthState = z.infer<typeof healthState>;

export const ownAccount = z.object({
  kind: z.enum(['user', 'robot', 'workload']),
  name: z.string(),
  groups: z.array(z.string()),
  source: z.string().optional().describe('of somebody outside the policy files'),
  address: z.string().optional().describe('as limits and rules see it'),
  session: z.string().optional(),
  inPerson: z.boolean().describe('by password or the page: may change what is their own'),
  inspects: z.boolean().describe('every repository'),
  administers: z.boolean(),
  rights: z.array(
    z.object({
      rule: z.string().optional(),
      actions: z.array(z.string()),
      repositories: z.array(z.string()),
      tags: z.array(z.string()).optional(),
      when: z.string().optional(),
      except: z.array(z.string()).optional().describe('rules that take some of it away'),
    }),
  ),
  limits: z.array(
    z.object({
      ...limit.shape,
      ...spent.shape,
      next: z.iso.datetime().optional().describe('when the next request fits, where none does now'),
    }),
  ),
});
export type OwnAccount = z.infer<typeof ownAccount>;
