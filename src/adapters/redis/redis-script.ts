/** One step that must be atomic, in Lua. */
export interface RedisScript {
  /** The client's name for it, of this folder only. */
  readonly name: string;
  readonly lua: string;
}

/** A tag for its Lua; what stands in the template is text of Lua as well. */
export function script(name: string): (lua: TemplateStringsArray, ...parts: (string | number)[]) => RedisScript {
  return (lua, ...parts) => ({ name: `portcullis${name}`, lua: String.raw({ raw: lua }, ...parts) });
}
