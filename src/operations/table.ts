/** What is asked of a running gateway as a whole: sessions, what is in force, limits, promotions. */
import { type AccountParts, accountOperations } from './accounts.ts';
import { type ActivityParts, activityOperations } from './activity.ts';
import { type HealthParts, healthOperations } from './health.ts';
import {
  type KeyParts,
  type PolicyParts,
  type RobotTokenParts,
  keyOperations,
  policyOperations,
  robotTokenOperations,
} from './in-force.ts';
import { type LimitParts, limitOperations } from './limits.ts';
import { type MeParts, meOperations } from './me.ts';
import type { Operation } from './operation.ts';
import { type PromotionListParts, promotionOperations } from './promotions.ts';
import { type SessionParts, sessionOperations } from './sessions.ts';

/** What all of them work with. */
export interface OperationParts
  extends
    SessionParts,
    RobotTokenParts,
    LimitParts,
    KeyParts,
    PolicyParts,
    PromotionListParts,
    ActivityParts,
    AccountParts,
    HealthParts,
    MeParts {
  readonly policy: PolicyParts['policy'];
  readonly sessions: SessionParts['sessions'];
  readonly robotUses: RobotTokenParts['robotUses'];
  readonly limits: LimitParts['limits'];
}

export const gatewayOperations: readonly Operation<OperationParts>[] = [
  ...sessionOperations,
  ...robotTokenOperations,
  ...limitOperations,
  ...keyOperations,
  ...policyOperations,
  ...promotionOperations,
  ...activityOperations,
  ...accountOperations,
  ...healthOperations,
  ...meOperations,
];
