# Whether the program in the foreground of a terminal waits for a line of input, and what it asked. Told by the kernel where it tells, else guessed.
MACHINE = os.uname().machine
READS, POLLS = {
    "x86_64": ({0, 19}, {7: (2, "ms"), 23: (4, "at"), 270: (4, "at"), 271: (2, "at"), 232: (3, "ms"), 281: (3, "ms"), 441: (3, "at")}),
    "aarch64": ({63, 65}, {72: (4, "at"), 73: (2, "at"), 22: (3, "ms"), 441: (3, "at")}),
}.get(MACHINE, (set(), {}))
ESCAPES = re.compile(rb"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[PX^_][^\x1b]*\x1b\\|[ -/]*[0-~])|[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
SECRET = re.compile(r"pass(word|phrase|code)|\bpin\b|secret|token", re.I)
ICANON, ECHO = termios.ICANON, termios.ECHO
ECHOES = termios.ECHO | termios.ECHOK | termios.ECHONL | termios.ISIG


def last_line(recent):
    """The unfinished last line without escape codes, as bytes."""
    line = ESCAPES.sub(b"", recent[recent.rfind(b"\n") + 1 :])
    parts = [part for part in line.split(b"\r") if part.strip()]
    return parts[-1] if parts else b""


def link_of(path):
    try:
        return os.readlink(path)
    except OSError:
        return ""


def blocked(pid, tty):
    """("line", fd) when it sits in a read of the terminal, ("poll", 0) when it waits without end for several things and has the terminal as input, None when it does something else, "?" when the kernel does not say."""
    one = stat_of(pid)
    if one is None or one[0] != "S":
        return None
    try:
        with open("/proc/%d/syscall" % pid) as file:
            words = file.read().split()
    except OSError:
        if (stat_of(pid) or " ")[0] != "S":
            return None  # it has gone on, or ended, since
        words = []
    if not READS or not words or words[0] in ("running", "-1"):
        return "?" if not words else None
    call, arguments = int(words[0]), [int(word, 16) for word in words[1:7]]
    if call in READS:
        return ("line", arguments[0]) if link_of("/proc/%d/fd/%d" % (pid, arguments[0])) in (tty, "/dev/tty") else None
    if call in POLLS and link_of("/proc/%d/fd/0" % pid) in (tty, "/dev/tty"):
        at, kind = POLLS[call]
        endless = arguments[at] & 0xFFFFFFFF == 0xFFFFFFFF if kind == "ms" else arguments[at] == 0
        return ("poll", 0) if endless else None
    return None


def foreground(terminal):
    """Process ids of the foreground group, its leader first."""
    try:
        group = os.tcgetpgrp(terminal.master)
    except OSError:
        return []
    leader = stat_of(group) if LINUX else None
    if not LINUX or (leader and leader[0] in "DR"):
        return [group]
    others = [pid for pid, one in processes().items() if one[2] == group and pid != group]
    return ([group] if leader else []) + sorted(others)


def waits(terminal):
    """{prompt, hidden} or None."""
    if terminal.other_screen or (terminal.script and not terminal.script.busy):
        return None
    pids = foreground(terminal)
    try:
        flags = termios.tcgetattr(terminal.master)[3]
    except termios.error:
        return None
    own_prompt = terminal.is_shell and not terminal.script and pids[:1] == [terminal.pid]
    if not pids or (own_prompt and not flags & ICANON):
        return None
    prompt = last_line(bytes(terminal.ring[-4096:]))
    states = [blocked(pid, terminal.tty) for pid in pids] if LINUX else ["?"]
    found = next((one for one in states if isinstance(one, tuple)), None)
    asks = bool(prompt.strip()) or not flags & ECHO or not flags & ICANON
    if found and found[0] == "poll" and not asks:
        return None
    if not found:
        quiet = time.monotonic() - terminal.active > 0.3
        if "?" not in states or not quiet or not (prompt.strip() or (not flags & ECHO and not terminal.script)):
            return None
    text = prompt.decode("utf-8", "replace")
    hidden = not flags & ECHO and bool(flags & ICANON)
    if hidden and terminal.script:
        elsewhere = bool(found) and found[0] == "line" and found[1] != 0
        hidden = elsewhere or flags & ECHOES != terminal.echoes or bool(SECRET.search(text))
    return {"prompt": text[-1000:], "hidden": hidden}
