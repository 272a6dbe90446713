/** The side that faces clients, as the rooms behind it take it. */
import type { AuditLog, Clock } from '../../ports.ts';
import type { Exchange } from './exchange.ts';

export interface Front {
  /** What clients call this gateway; `Exchange.publicUrl` is what this client calls it. */
  readonly publicUrl: string;
  readonly service: string;
  /** Where people make access tokens who have no password; undefined where there are none. */
  readonly tokenPage?: string | undefined;
  /** One record for each request. */
  readonly audit: AuditLog;
  readonly clock: Clock;
  /** Reports what should not happen: a bug, broken I/O. */
  readonly onError: (error: unknown, exchange: Exchange) => void;
}
