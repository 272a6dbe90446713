/** Bytes that the process sets aside for what clients send, and how much of them one account may hold. */

export interface MemoryShare {
  /** Whether so many bytes more fit; counted then. */
  grow(bytes: number): boolean;
  /** Gives everything back; again is nothing. */
  readonly close: () => void;
}

export interface MemoryBudget {
  open(account: string): MemoryShare;
}

/** `total` for all, `each` for one account, in bytes. */
export function createMemoryBudget({ total, each }: { readonly total: number; readonly each: number }): MemoryBudget {
  const held = new Map<string, number>();
  let used = 0;
  return {
    open(account) {
      let own = 0;
      let closed = false;
      return {
        grow(bytes) {
          const ofAccount = (held.get(account) ?? 0) + bytes;
          if (closed || used + bytes > total || ofAccount > each) return false;
          used += bytes;
          own += bytes;
          held.set(account, ofAccount);
          return true;
        },
        close() {
          closed = true;
          used -= own;
          const left = (held.get(account) ?? 0) - own;
          own = 0;
          if (left > 0) held.set(account, left);
          else held.delete(account);
        },
      };
    },
  };
}
