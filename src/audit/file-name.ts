/** Names of audit files: one for each day (UTC) and gateway, `2026-11-26.gateway-1.jsonl`, packed with `.gz` behind. */

export interface AuditFileName {
  /** `2026-11-26`, in UTC as the times in the lines are. */
  readonly day: string;
  /** Which gateway wrote it. */
  readonly instance: string;
  readonly isPacked: boolean;
}

const instanceForm = /^[A-Za-z0-9](?:[A-Za-z0-9_.-]{0,62}[A-Za-z0-9])?$/;
const fileForm = /^(\d{4}-\d\d-\d\d)\.(.+)\.jsonl(\.gz)?$/;

/** Undefined for every other file. */
export function parseAuditFileName(name: string): AuditFileName | undefined {
  const [, day, instance, packed] = fileForm.exec(name) ?? [];
  if (day === undefined || instance === undefined || !instanceForm.test(instance) || !isDay(day)) return undefined;
  return { day, instance, isPacked: packed !== undefined };
}

function isDay(text: string): boolean {
  const at = Date.parse(text);
  return !Number.isNaN(at) && dayOf(at) === text;
}

/** The name of the file in which `instance` writes on `day`. */
export function auditFileName(day: string, instance: string): string {
  return `${day}.${instance}.jsonl`;
}

/** What a gateway on this host is called in names of files: whatever no file name can have becomes a dash. */
export function instanceNameOf(hostName: string): string {
  const plain = hostName.replace(/[^A-Za-z0-9_.-]/g, '-').slice(0, 48);
  const trimmed = plain.replace(/^[^A-Za-z0-9]+|[^A-Za-z0-9]+$/g, '');
  return trimmed === '' ? 'gateway' : trimmed;
}

/** The day of an instant in milliseconds, in UTC. */
export function dayOf(atMs: number): string {
  return new Date(atMs).toISOString().slice(0, 10);
}
