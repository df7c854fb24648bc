// Starts the page: theme, address, claim code, who is here.
import { render } from "preact";
import { App } from "./app.tsx";
import { takeClaimCode } from "./parts/welcome.tsx";
import { enter } from "./people.ts";
import { keepPrefs } from "./prefs.ts";
import { listenToAddress } from "./router.ts";

keepPrefs();
const code = takeClaimCode();
listenToAddress();
if (!code) void enter();
render(<App code={code} />, document.getElementById("root")!);
