// The process dies before or after each commit of each flow; an heir takes over. Nothing lost, nothing doubled, what is unknown is labelled.
import { test } from "node:test";
import { flows } from "./crash-flows.ts";
import { stoppedAtEach } from "./crash-place.ts";

for (const flow of flows) test(`${flow.name}: stopped before and after each commit`, () => stoppedAtEach(flow, { heirs: 3, least: 8 }));
