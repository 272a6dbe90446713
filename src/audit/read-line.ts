/** Lines as they are read back: of whoever wrote them, which may be nobody that we know. */

/** A record as it was read: any JSON object. */
export type ReadRecord = Readonly<Record<string, unknown>>;

/** undefined for a line that is none. */
export function recordIn(line: Buffer): ReadRecord | undefined {
  try {
    const value: unknown = JSON.parse(line.toString('utf8'));
    return typeof value === 'object' && value !== null ? (value as ReadRecord) : undefined;
  } catch {
    return undefined;
  }
}

/** Looked for before the line is read, which takes far longer; and then read, since a claim may be called so. */
export function isEvent(line: Buffer, event: keyof typeof labels): boolean {
  return line.includes(labels[event]) && recordIn(line)?.['event'] === event;
}

const labels = {
  intent: Buffer.from('"event":"intent"'),
  checkpoint: Buffer.from('"event":"checkpoint"'),
  gap: Buffer.from('"event":"gap"'),
  chain_restart: Buffer.from('"event":"chain_restart"'),
};
