// Moonshot's open platform: Kimi's models by a key of platform.moonshot.ai.
import { kimiKind } from "./kimi.ts";

export default kimiKind(
  "moonshot",
  "https://api.moonshot.ai/v1",
  "A key of Kimi Code works with the provider kimi-code (KIMI_API_PROVIDER=kimi-code).",
);
