/** The WWW-Authenticate value of distribution's token authentication; RFC 9110 section 11.6.1 and RFC 6750 section 3. */
import { type Access } from './access.ts';
import { formatScopes } from './scope.ts';

export interface Challenge {
  readonly realm: string;
  readonly service: string;
  readonly access: readonly Access[];
  readonly error?: 'invalid_token' | 'insufficient_scope' | undefined;
}

/**
 * One Bearer challenge. Empty parameters are left out: docker stops reading at the first empty value.
 * Names are lower case and values quoted without escapes, which is all that some clients can read; realm and service
 * come from configuration and scopes from parsed names, so none can hold a quote.
 */
export function formatChallenge({ realm, service, access, error }: Challenge): string {
  const scope = formatScopes(access);
  const parameters: readonly (readonly [string, string | undefined])[] = [
    ['realm', realm],
    ['service', service],
    ['scope', scope],
    ['error', error],
  ];
  const given = parameters.filter(([, value]) => value !== undefined && value !== '');
  return `Bearer ${given.map(([name, value]) => `${name}="${(value ?? '').replace(/["\\]/g, '')}"`).join(',')}`;
}
