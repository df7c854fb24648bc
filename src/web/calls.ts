// The calls of one lazily loaded page: its own table of routes, typed by the gateway's, so that the conversation does not carry it.
import type { Answered, GivenBody, GivenQuery, RouteName } from "../core/api.ts";
import { ask } from "./api.ts";

export interface Given<N extends RouteName> {
  id?: string;
  body?: GivenBody<N>;
  query?: GivenQuery<N>;
}

/** A test checks each table against core/api.ts. */
export const callsOf =
  <P extends Partial<Record<RouteName, string>>>(paths: P) =>
  <N extends keyof P & RouteName>(name: N, { id, ...given }: Given<N> = {}): Promise<Answered<N>> =>
    ask<N>(paths[name]!, { ...given, ...(id === undefined ? {} : { params: { id } }) });
