// The one authorization function. Rights come from the server's own records only (`auth.ts` makes the principal).
import type { Right } from "../core/api-shapes.ts";
import type { Principal } from "../core/types.ts";

/** `self` routes reach only the principal's own objects: the functions behind them answer not_found for anything else. */
export function may(principal: Principal | undefined, right: Right): boolean {
  if (right === "public") return true;
  if (!principal) return false;
  return right === "self" || principal.role === "owner";
}
