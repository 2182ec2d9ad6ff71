import type { z } from "zod";
import { presetOf } from "../rate_limit/presets.ts";
import { refusalOf } from "../util/refusal.ts";

/** Says what is wrong with limits, at their names. */
export function fitPresets(presets: Record<string, unknown>, context: z.core.$RefinementCtx): void {
  for (const [name, preset] of Object.entries(presets)) {
    try {
      if (preset !== undefined) presetOf(name, preset);
    } catch (error) {
      const { option, wanted = "a limit", got = "another one" } = refusalOf(error) ?? {};
      const field = option?.split(".").at(-1);
      context.addIssue({
        code: "custom",
        path: [name],
        message: field === undefined ? wanted : `"${field}" to be ${wanted}`,
        // A URL got there by mistake, and may hold a password.
        params: { got: /:\/\/|@/.test(got) ? "a URL or an address (not shown)" : got },
      });
    }
  }
}
