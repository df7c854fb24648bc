// A channel by hand: it keeps what was sent, and can be told to fail. With it, what comes from a platform, in short.
import type { Channel, Inbound, Outgoing } from "../core/channel.ts";
import type { Address } from "../core/types.ts";

export interface Sent extends Outgoing {
  to: Address;
  key: string;
}

/** `fail` is asked before each send; what it returns is thrown. */
export function keepingChannel(fail: (sent: Sent) => unknown = () => undefined): Channel & { sent: Sent[] } {
  const sent: Sent[] = [];
  return {
    sent,
    limits: { text: 4000, file: 1_000_000, buttons: 5 },
    length: (markdown) => markdown.length,
    async send(to, message, key) {
      const error = fail({ ...message, to, key });
      if (error !== undefined) throw error;
      sent.push({ ...message, to, key });
      return `receipt-${sent.length}`;
    },
    probe: async () => ({ account: "self" }),
    close: async () => {},
  };
}

/** A message of somebody who writes to Steward alone. */
export const inbound = (key: string, from: string, to: Address, text: string, more: Partial<Inbound> = {}): Inbound => ({
  ...{ key, kind: "message", from, to, where: "direct", text, message: key },
  ...more,
});
