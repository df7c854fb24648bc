// One-time claim codes: 82 bits, ten minutes, single use also in parallel, void after five wrong tries.
import type { Store } from "../core/store.ts";
import type { Principal } from "../core/types.ts";
import { StewardError } from "../std/error.ts";
import { randomText } from "../std/id.ts";
import { digestOf, keyOf, newCookie, sameDigest } from "./credentials.ts";
import { refusal } from "./status.ts";

interface ClaimDoc {
  digest: string;
  person: string;
  role: Principal["role"];
  expiresAt: number;
  used: boolean;
}
type Grantee = Pick<Principal, "person" | "role">;

const LIFE_MS = 600_000;
const MAX_WRONG = 5;
const COUNT = "auth/claims";

const openClaims = async (store: Store): Promise<{ key: string; doc: ClaimDoc }[]> =>
  (await store.list(keyOf("claim", ""))).map(({ key, value }) => ({ key, doc: value as ClaimDoc }));

/** Also forgets what is over, and starts the count of wrong tries again. */
export async function makeClaim(store: Store, { person, role }: Grantee, now: number): Promise<{ code: string; expiresAt: number }> {
  const code = randomText(16);
  const digest = digestOf("claim", code);
  const expiresAt = now + LIFE_MS;
  const over = (await openClaims(store)).filter(({ doc }) => doc.expiresAt <= now).map(({ key }) => key);
  await store.commit({
    put: { [keyOf("claim", digest)]: { digest, person, role, expiresAt, used: false } satisfies ClaimDoc, [COUNT]: { wrong: 0 } },
    drop: over,
  });
  return { code, expiresAt };
}

/** The two halves of a new cookie and whose it is. Throws denied, in the same words for wrong, used and expired codes; limit when all codes are void. */
export async function redeemClaim(store: Store, code: string, now: number): Promise<Grantee & { secret: string; proof: string }> {
  const digest = digestOf("claim", code.trim());
  const key = keyOf("claim", digest);
  const doc = (await store.get(key)) as ClaimDoc | undefined;
  if (!doc || !sameDigest(doc.digest, digest)) await countWrong(store);
  if ((await wrongTries(store)) >= MAX_WRONG)
    throw refusal("limit", "There were too many wrong tries, so every open link is void", {
      status: 403,
      hint: "Make a new one: steward claim.",
    });
  if (doc && !doc.used && doc.expiresAt > now) {
    const cookie = newCookie(doc, now);
    await store.commit({ once: `claim/${digest}`, put: { [cookie.key]: cookie.doc, [key]: { ...doc, used: true } } });
    if (await store.get(cookie.key)) return { person: doc.person, role: doc.role, secret: cookie.secret, proof: cookie.proof };
  }
  throw new StewardError("denied", "This claim code is not valid", {
    hint: "A code works once and for ten minutes. `steward start` prints a new link; so does `steward claim` while it runs.",
  });
}

const wrongTries = async (store: Store): Promise<number> => ((await store.get(COUNT)) as { wrong: number } | undefined)?.wrong ?? 0;

async function countWrong(store: Store): Promise<void> {
  await store.commit({ add: { [COUNT]: { wrong: 1 } } });
  if ((await wrongTries(store)) < MAX_WRONG) return;
  const open = await openClaims(store);
  if (open.length > 0) await store.commit({ drop: open.map(({ key }) => key) });
}
