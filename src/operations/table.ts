/** What is asked of a running gateway as a whole: sessions, what is in force, limits, promotions. */
import { type AccountParts, accountOperations } from './accounts.ts';
import { type ActivityParts, activityOperations } from './activity.ts';
import { type AuditTrailParts, auditTrailOperations } from './audit-trail.ts';
import { type HealthParts, healthOperations } from './health.ts';
import { type KeyParts, type RobotTokenParts, keyOperations, robotTokenOperations } from './in-force.ts';
import { type LimitParts, limitOperations } from './limits.ts';
import { type MeParts, meOperations } from './me.ts';
import type { Operation } from './operation.ts';
import { type PolicyPageParts, policyOperations } from './policy-page.ts';
import { type PromotionListParts, promotionOperations } from './promotions.ts';
import { type SessionParts, sessionOperations } from './sessions.ts';

/** What all of them work with. */
export interface OperationParts
  extends
    SessionParts,
    RobotTokenParts,
    LimitParts,
    KeyParts,
    PolicyPageParts,
    PromotionListParts,
    ActivityParts,
    AuditTrailParts,
    AccountParts,
    HealthParts,
    MeParts {
  readonly sessions: SessionParts['sessions'];
  readonly robotUses: RobotTokenParts['robotUses'];
  readonly limits: LimitParts['limits'];
  readonly recent: PolicyPageParts['recent'];
  readonly upstreams: PolicyPageParts['upstreams'];
}

export const gatewayOperations: readonly Operation<OperationParts>[] = [
  ...sessionOperations,
  ...robotTokenOperations,
  ...limitOperations,
  ...keyOperations,
  ...policyOperations,
  ...promotionOperations,
  ...activityOperations,
  ...auditTrailOperations,
  ...accountOperations,
  ...healthOperations,
  ...meOperations,
];
