// This page's half of its sign-in: kept by the browser for this address with its port, while the cookie goes to every port of the machine.
const NAME = "steward.proof";
/** Where storage is refused, this window only. */
const held: { key?: string | undefined } = {};

/** Read anew each time: another window may have signed in. */
export function proof(): string {
  try {
    return localStorage.getItem(NAME) ?? held.key ?? "";
  } catch {
    return held.key ?? "";
  }
}

export function keepProof(key: string | undefined): void {
  delete held.key;
  try {
    if (key === undefined) localStorage.removeItem(NAME);
    else localStorage.setItem(NAME, key);
  } catch {
    held.key = key;
  }
}

/** Another window has signed in or out. */
export function whenProofChanges(run: () => void): void {
  addEventListener("storage", ({ key }) => (key === NAME || key === null) && run());
}
