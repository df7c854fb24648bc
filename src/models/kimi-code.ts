// Kimi Code, the cloud provider that Steward takes when it only has a Kimi key.
import { kimiKind } from "./kimi.ts";

export default kimiKind(
  "kimi-code",
  "https://kimi.com/api/v1",
  "A key of Moonshot's open platform works with the provider moonshot (KIMI_API_PROVIDER=moonshot).",
);
