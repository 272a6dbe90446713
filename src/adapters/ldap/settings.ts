/** What an administrator says of a directory. */
import type { FilterTemplate } from '../../directory/filter.ts';
import type { LdapServer } from '../../network/ldap-url.ts';
import type { Secret } from '../../secret.ts';

export interface LdapSettings {
  /** Asked in this order; one that did not answer is asked last for a while. */
  readonly servers: readonly LdapServer[];
  /** File (PEM) of the authorities of their certificates, read again when it changes; undefined: those that the system trusts. */
  readonly ca: string | undefined;
  /** For servers without TLS of their own. */
  readonly startTls: boolean;
  /** Who searches. The password may be in a file, which is read at each bind. undefined: nobody in particular. */
  readonly bind: { readonly dn: string; readonly password: Secret | string } | undefined;
  readonly users: {
    readonly base: string;
    readonly filter: FilterTemplate;
    /** The attribute that is the account's name. */
    readonly name: string;
  };
  /** undefined: nobody has any. */
  readonly groups: GroupSettings | undefined;
}

export interface GroupSettings {
  readonly base: string;
  readonly filter: FilterTemplate;
  /** The attribute that is the group's name. */
  readonly name: string;
  /** Groups in groups: not at all, resolved by Active Directory, or asked for level by level. */
  readonly nested: 'no' | 'ad' | 'walk';
}
