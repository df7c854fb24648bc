// The time now, once a second, only while something on the screen shows it.
import { signal } from "@preact/signals";
import { useEffect } from "preact/hooks";

const now = signal(Date.now());
const users = { count: 0, timer: 0 };

/** Epoch milliseconds, renewed each second. */
export function useNow(): number {
  useEffect(() => {
    if (users.count++ === 0) users.timer = window.setInterval(() => (now.value = Date.now()), 1000);
    now.value = Date.now();
    return () => {
      if (--users.count === 0) clearInterval(users.timer);
    };
  }, []);
  return now.value;
}
