import type { SessionCase } from "./harness.ts";
import { DATA_CASES } from "./suite_data.ts";
import { GRACE_CASES } from "./suite_grace.ts";
import { INPUT_CASES } from "./suite_input.ts";
import { LIFE_CASES } from "./suite_life.ts";
import { RENEWAL_CASES } from "./suite_renewal.ts";
import { REVOCATION_CASES } from "./suite_revocation.ts";

/** What sessions do, on any store. */
export const SESSION_CASES: Readonly<Record<string, SessionCase>> = {
  ...DATA_CASES,
  ...GRACE_CASES,
  ...INPUT_CASES,
  ...LIFE_CASES,
  ...RENEWAL_CASES,
  ...REVOCATION_CASES,
};
