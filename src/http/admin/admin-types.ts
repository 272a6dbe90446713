/** What the admin API says, as types for who asks it and as schemas for its OpenAPI document. */
import { z } from 'zod';

const session = z.object({
  id: z.string(),
  account: z.string(),
  created: z.iso.datetime(),
  lastUsed: z.iso.datetime(),
  address: z.string().optional(),
  userAgent: z.string().optional(),
});
export const sessionList = z.object({ sessions: z.array(session) });
export const ended = z.object({ ended: z.array(session) });
export const keyList = z.object({
  keys: z.array(z.object({ kid: z.string(), algorithm: z.string(), signing: z.boolean() })),
});
export const policyState = z.object({
  revision: z.string(),
  rules: z.int(),
  problems: z.array(z.object({ file: z.string(), line: z.int(), message: z.string() })),
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
export type KeyList = z.infer<typeof keyList>;
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
  account: z.string(),
  kind: z.enum(['user', 'robot', 'workload']),
  digest: z.string(),
  source: z.string(),
  target: z.string(),
  reason: z.string().optional(),
  manifests: z.int(),
  blobs: z.int(),
  mounted: z.int(),
  bytes: z.int().describe('of blobs that could not be mounted'),
  durationMs: z.number(),
});
export const promotionList = z.object({ promotions: z.array(promotion) });
