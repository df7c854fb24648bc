// Programs that were started as a group of their own, and what they have started.

export function killGroup(pid: number | undefined): void {
  try {
    if (pid !== undefined) process.kill(-pid, "SIGKILL");
  } catch {} // gone already
}
