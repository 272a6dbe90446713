/** Filters as the library sends them, from templates and the values that stand in them. */
import {
  AndFilter,
  ApproximateFilter,
  EqualityFilter,
  ExtensibleFilter,
  type Filter,
  GreaterThanEqualsFilter,
  LessThanEqualsFilter,
  NotFilter,
  OrFilter,
  PresenceFilter,
  SubstringFilter,
} from 'ldapts';
import { type FilterTemplate, type Placeholder, fill } from '../../directory/filter.ts';

/** Matches along chains of groups, at the server (LDAP_MATCHING_RULE_IN_CHAIN of Active Directory). */
const inChain = '1.2.840.113556.1.4.1941';

type Values = Readonly<Record<Placeholder, string>>;

const comparisons = {
  equal: EqualityFilter,
  atLeast: GreaterThanEqualsFilter,
  atMost: LessThanEqualsFilter,
  alike: ApproximateFilter,
} as const;

/** `isChained`: what is compared with `${dn}` alone, is along chains of groups. */
export function filterOf(template: FilterTemplate, values: Values, isChained = false): Filter {
  switch (template.kind) {
    case 'and':
    case 'or': {
      const filters = template.parts.map((part) => filterOf(part, values, isChained));
      return template.kind === 'and' ? new AndFilter({ filters }) : new OrFilter({ filters });
    }
    case 'not':
      return new NotFilter({ filter: filterOf(template.part, values, isChained) });
    case 'present':
      return new PresenceFilter({ attribute: template.attribute });
    case 'substrings': {
      const [initial = '', ...rest] = template.pieces;
      const final = rest.pop() ?? '';
      return new SubstringFilter({
        attribute: template.attribute,
        initial,
        any: rest.filter((any) => any !== ''),
        final,
      });
    }
    case 'rule': {
      const { attribute: matchType, rule, withDn: dnAttributes, value } = template;
      return new ExtensibleFilter({ matchType, rule, dnAttributes, value: fill(value, values) });
    }
    default: {
      const { attribute, kind } = template;
      const value = fill(template.value, values);
      const [part, ...others] = template.value;
      const isDn = typeof part === 'object' && part.of === 'dn' && others.length === 0;
      return isChained && isDn && kind === 'equal'
        ? new ExtensibleFilter({ matchType: attribute, rule: inChain, value })
        : new comparisons[kind]({ attribute, value });
    }
  }
}

/** Any of them. */
export function anyOf(filters: readonly Filter[]): Filter {
  const [only, ...others] = filters;
  return only !== undefined && others.length === 0 ? only : new OrFilter({ filters: [...filters] });
}
