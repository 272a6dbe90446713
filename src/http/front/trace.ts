/** W3C Trace Context: the trace that a request belongs to, taken from whoever sent it or begun here. */

export interface Trace {
  /** 32 hexadecimal digits, the same for all that one request sets off. */
  readonly id: string;
  /** The header for whoever is asked next: the same trace, this request its parent. */
  readonly parent: string;
}

/** Of any version but ff; a later one may go on behind another dash. */
const pattern = /^(?!ff)([0-9a-f]{2})-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-([0-9a-f]{2})$/;
/** Characters of version 00, which any later version begins with. */
const length = 55;

/**
 * The id may come from anybody: it names, and decides nothing. That what belongs to it is to be kept (`sampled`) costs the
 * registry something, and is believed of proxies alone. `requestId`: random, a UUID; what begins here is named after it.
 */
export function traceOf(
  traceparent: string | readonly string[] | undefined,
  requestId: string,
  isFromProxy: () => boolean,
): Trace {
  const own = requestId.replaceAll('-', '');
  const given = typeof traceparent === 'string' ? read(traceparent) : undefined;
  const id = given?.id ?? own;
  const isSampled = given?.isSampled === true && isFromProxy();
  return { id, parent: `00-${id}-${own.slice(16)}-${isSampled ? '01' : '00'}` };
}

function read(text: string): { readonly id: string; readonly isSampled: boolean } | undefined {
  const [, version, id, flags = ''] = pattern.exec(text.slice(0, length)) ?? [];
  const isWhole = text.length === length || (version !== '00' && text[length] === '-');
  return id === undefined || !isWhole ? undefined : { id, isSampled: (Number.parseInt(flags, 16) & 1) === 1 };
}
