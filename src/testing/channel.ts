// A channel by hand: it keeps what was sent, and can be told to fail.
import type { Channel } from "../core/ports.ts";
import type { Address } from "../core/types.ts";

export interface Sent {
  to: Address;
  text: string;
  key: string;
}

/** `fail` is asked before each send; what it returns is thrown. */
export function keepingChannel(fail: (sent: Sent) => unknown = () => undefined): Channel & { sent: Sent[] } {
  const sent: Sent[] = [];
  return {
    sent,
    limits: { text: 4000 },
    async send(to, text, key) {
      const error = fail({ to, text, key });
      if (error !== undefined) throw error;
      sent.push({ to, text, key });
      return `receipt-${sent.length}`;
    },
    close: async () => {},
  };
}
