import type { SessionCase } from "./harness.ts";
import { BOUNDS_CASES } from "./suite_bounds.ts";
import { DATA_CASES } from "./suite_data.ts";
import { GRACE_CASES } from "./suite_grace.ts";
import { INPUT_CASES } from "./suite_input.ts";
import { LIFE_CASES } from "./suite_life.ts";
import { LOGIN_CASES } from "./suite_logins.ts";
import { RENEWAL_CASES } from "./suite_renewal.ts";
import { REQUEST_CASES } from "./suite_requests.ts";
import { REVOCATION_CASES } from "./suite_revocation.ts";

/** What sessions do, on any store. */
export const SESSION_CASES: Readonly<Record<string, SessionCase>> = {
  ...BOUNDS_CASES,
  ...DATA_CASES,
  ...GRACE_CASES,
  ...INPUT_CASES,
  ...LIFE_CASES,
  ...LOGIN_CASES,
  ...RENEWAL_CASES,
  ...REQUEST_CASES,
  ...REVOCATION_CASES,
};
