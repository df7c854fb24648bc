// What a text that stands for a web address means, for the one who asks a person about it and the one who fetches it. Where a request may go is left to the outbound client.

/** As it will be requested: `https://` is put before a text without a scheme. Undefined when it is no address at all. */
export function webAddress(text: string): URL | undefined {
  const plain = text.trim();
  return URL.parse(/^[a-z][a-z0-9+.-]*:(?!\d)/i.test(plain) ? plain : `https://${plain}`) ?? undefined;
}

/** The host names that stand in a text, each whole, as a URL would spell them. */
export function hostsIn(text: string): Set<string> {
  const hosts = new Set<string>();
  for (const word of text.split(/[^\p{L}\p{M}\p{N}.-]+/u)) {
    const name = word.length < 256 && word.includes(".") ? plainHost(word) : "";
    const host = name === "" ? undefined : URL.parse(`https://${name}`)?.hostname;
    if (host) hosts.add(host);
  }
  return hosts;
}

/** Without the dot that a full name may end with. */
export const plainHost = (host: string): string => host.replace(/\.+$/, "");
