// What to do about an error is said with the name that the channel has here, not its platform's: where a hint says NAME.
import type { Channel, ChannelHost } from "../core/channel.ts";
import { StewardError } from "../std/error.ts";

const CALLS = ["send", "edit", "lookup", "typing", "react", "probe", "commands", "readers"] as const;
type Call = (...given: never[]) => Promise<unknown>;

/** Opens it so that all errors that come from it are such. */
export async function withName(host: ChannelHost, open: (host: ChannelHost) => Promise<Channel>): Promise<Channel> {
  const named = (error: unknown): unknown => {
    if (!(error instanceof StewardError) || !error.hint?.includes("NAME")) return error;
    const { code, message, cause, retryAt } = error;
    return new StewardError(code, message, {
      ...{ hint: error.hint.replaceAll("NAME", host.name), cause },
      ...(retryAt === undefined ? {} : { retryAt }),
    });
  };
  const tried = async <T>(work: () => Promise<T>): Promise<T> => {
    try {
      return await work();
    } catch (error) {
      throw named(error);
    }
  };
  const channel = await tried(() => open({ ...host, lost: (error) => host.lost(named(error)) }));
  const calls = CALLS.flatMap((name) => {
    const call = channel[name] as Call | undefined;
    return call ? [[name, (...given: never[]) => tried(() => call(...given))]] : [];
  });
  return { ...channel, ...(Object.fromEntries(calls) as Partial<Channel>) };
}
