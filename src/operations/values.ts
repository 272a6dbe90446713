/** Values as a query or a form writes them. */
import { z } from 'zod';

/** Digits only: at most 16 of them. */
export const wholeNumber = z
  .string()
  .regex(/^[0-9]{1,16}$/, 'expected a whole number')
  .transform(Number);
