/** A setting's text turned into its value, or why it cannot be. Messages never repeat the text: it may be a secret. */
export type Parsed<T> =
  { readonly ok: true; readonly value: T } | { readonly ok: false; readonly message: string; readonly fix?: string };

/** `fix` says what to write instead. */
export function refuse(
  message: string,
  fix?: string,
): { readonly ok: false; readonly message: string; readonly fix?: string } {
  return fix === undefined ? { ok: false, message } : { ok: false, message, fix };
}
