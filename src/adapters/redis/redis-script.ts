/** One step that must be atomic, in Lua. */
export interface RedisScript {
  /** The client's name for it, of this folder only. */
  readonly name: string;
  readonly lua: string;
}
