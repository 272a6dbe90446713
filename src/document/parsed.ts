/** A setting's text turned into its value, or why it cannot be. Messages never repeat the text: it may be a secret. */
export type Parsed<T> = { readonly ok: true; readonly value: T } | Refusal;

interface Refusal {
  readonly ok: false;
  readonly message: string;
  readonly fix?: string | undefined;
}

/** `fix` says what to write instead. */
export function refuse(message: string, fix?: string): Refusal {
  return { ok: false, message, fix };
}
